"""Law 12: reading and showing amounts are inverse for every currency, and VAT + net = gross."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from babel.core import get_global
from hypothesis import given, settings
from hypothesis import strategies as st

from bookshelf.cqrs.errors import Invalid
from bookshelf.shop.invoice import vat_sums
from bookshelf.shop.money import (
    MOST,
    Money,
    TotalTooLarge,
    check_currency,
    plain_amount,
    read_amount,
    show_amount,
    show_number,
    total_of,
    vat_of,
)
from bookshelf.shop.values import BoughtLine

CURRENCIES = st.sampled_from(sorted(get_global("all_currencies")))
AMOUNTS = st.integers(0, MOST)


@settings(max_examples=100, deadline=None)
@given(AMOUNTS, CURRENCIES, st.sampled_from(["en", "de"]))
def test_an_amount_that_is_shown_is_read_as_the_same(amount: int, currency: str, locale: str) -> None:
    money = Money(amount, currency)
    assert read_amount(show_number(money, locale), currency, locale) == money


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**10), st.integers(0, 1000))
def test_vat_is_rounded_half_to_even(gross: int, permille: int) -> None:
    exact = Decimal(gross) * permille / (1000 + permille)
    assert vat_of(gross, permille) == exact.quantize(Decimal(1), ROUND_HALF_EVEN)


def test_a_half_is_rounded_to_the_even_number() -> None:
    assert [vat_of(gross, 1000) for gross in (1, 3, 5, 7)] == [0, 2, 2, 4]


def test_vat_is_computed_once_for_each_rate() -> None:
    price = Money(99, "EUR")
    lines = [
        BoughtLine(product=f"p-{rate}{n}", quantity=1, name="", price=price, vat_permille=rate)
        for rate in (190, 70)
        for n in range(3)
    ]
    sums = vat_sums(lines)
    assert [(part.permille, part.gross, part.vat, part.net) for part in sums] == [
        (70, 297, 19, 278),
        (190, 297, 47, 250),
    ]
    assert 3 * vat_of(99, 190) != vat_of(297, 190)  # a sum of rounded lines is another one


@pytest.mark.parametrize("text", ["", "x", "-1", "1,999.0.1", "1.234", "NaN", "Infinity", "1e5", "9" * 40])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_amount(text, "EUR", "en")


def test_amounts_are_read_and_shown_as_in_their_locale() -> None:
    money = Money(123_456, "EUR")
    assert show_number(money, "de") == "1234,56"
    assert show_amount(money, "de") == "1.234,56\xa0€"
    assert show_amount(money, "en") == "€1,234.56"
    assert read_amount("1.234,56", "EUR", "de") == read_amount("1,234.56", "EUR", "en") == money
    assert [plain_amount(1999, code) for code in ("JPY", "EUR", "KWD")] == ["1999", "19.99", "1.999"]


def test_a_total_has_one_currency_and_a_bound() -> None:
    assert total_of([(Money(199, "EUR"), 2), (Money(1, "EUR"), 1)]) == Money(399, "EUR")
    with pytest.raises(Invalid, match="one currency"):
        total_of([(Money(1, "EUR"), 1), (Money(1, "USD"), 1)])
    with pytest.raises(TotalTooLarge):
        total_of([(Money(10**9, "EUR"), 999), (Money(10**9, "EUR"), 2)])


def test_a_currency_is_one_of_iso_4217() -> None:
    assert check_currency("EUR") == "EUR"
    with pytest.raises(Invalid):
        check_currency("EURO")
