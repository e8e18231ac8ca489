"""Reasons are data; as a sentence they have their amounts in the shop's currency."""

import pytest

from bookshelf.shop.values import Reason, detail_of


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        (Reason(code="out-of-stock", product="p-1", wanted=2, available=1), "only 1 is available"),
        (Reason(code="out-of-stock", product="p-1", wanted=2, available=0), "only 0 are available"),
        (
            Reason(code="price-changed", product="p-1", agreed=1999, now=2099),
            "the price was 19.99, and is now 20.99",
        ),
        (
            Reason(code="insufficient-credit", needed=3998, available=500),
            "39.98 is needed, 5.00 is available",
        ),
        (Reason(code="card-declined", decline="lost"), "the card was declined: lost"),
        (Reason(code="timeout"), "not every part has answered in time"),
    ],
)
def test_a_reason_is_a_sentence(reason: Reason, detail: str) -> None:
    assert detail_of(reason, "EUR") == detail
