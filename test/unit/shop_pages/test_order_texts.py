"""Why an order was canceled, in words, and what its customer can do about it."""

import pytest

from bookshelf.shop.pages.shared.order_texts import explain
from bookshelf.shop.values import Reason


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason(code="out-of-stock", product="p-1", wanted=2, available=0), "Dune: out of stock"),
        (
            Reason(code="price-changed", product="p-1", agreed=999, now=1099),
            "Dune: the price was €9.99 and is now €10.99",
        ),
        (
            Reason(code="insufficient-credit", needed=4297, available=100),
            "Your credit is not enough: €42.97 is needed, €1.00 is left",
        ),
        (Reason(code="card-declined", decline="declined"), "Your card was declined"),
        (Reason(code="something-new"), "The order could not be carried out"),
    ],
)
def test_a_reason_is_explained(reason: Reason, text: str) -> None:
    explained = explain(reason, {"p-1": "Dune"}, "EUR", "en")
    assert str(explained.why) == text
    assert explained.advice


@pytest.mark.parametrize(
    ("code", "advice", "address"),
    [
        ("out-of-stock", "If you ordered from your cart, all of it is still there.", "/shop/cart"),
        ("price-changed", "Order it again at the new price", "/shop/products/p-1"),
        ("timeout", "Order again; what was in your cart is still there.", "/shop/cart"),
        ("customer", "If you ordered from your cart, all of it is still there.", "/shop/cart"),
    ],
)
def test_advice_holds_for_an_order_of_a_product_that_was_in_no_cart(
    code: str, advice: str, address: str
) -> None:
    explained = explain(Reason(code=code, product="p-1"), {"p-1": "Dune"}, "EUR", "en")
    assert advice in explained.advice
    assert explained.address == address
