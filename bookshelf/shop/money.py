"""Amounts of money: integers of the minor units of a currency (ISO 4217), never fractions.

How many digits a currency has comes from CLDR; it matters only where amounts are shown or read.
"""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.cqrs.errors import Invalid

#: The largest amount, and the largest price of one unit.
MOST = 10**12
PRICE_MOST = 10**9


_CODE = Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="of ISO 4217", examples=["EUR"])


class Money(msgspec.Struct, frozen=True):
    """An amount of a currency: 1999 EUR are 19.99 euros."""

    amount: Annotated[int, Meta(ge=0, le=MOST, description="in minor units", examples=[1999])]
    currency: Annotated[str, _CODE]


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The price of one unit, with VAT, as requests have it."""

    amount: Annotated[int, Meta(ge=0, le=PRICE_MOST, description="in minor units", examples=[1999])]
    currency: Annotated[str, _CODE]

    @property
    def money(self) -> Money:
        """The price as an amount."""
        return Money(self.amount, self.currency)


class Amount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any amount, as requests have it."""

    amount: Annotated[int, Meta(ge=0, le=MOST, description="in minor units", examples=[10000])]
    currency: Annotated[str, _CODE]

    @property
    def money(self) -> Money:
        """The amount as the shop keeps it."""
        return Money(self.amount, self.currency)


class TotalTooLarge(Invalid):
    """A sum is over the largest amount."""


def total_of(parts: Iterable[tuple[Money, int]]) -> Money:
    """Return the sum of prices, each times its quantity. Raises `Invalid`, `TotalTooLarge`.

    There is at least one part.
    """
    listed = list(parts)
    currency = listed[0][0].currency
    if any(price.currency != currency for price, _ in listed):
        raise Invalid("all prices of an order have one currency", field="lines")
    total = sum(price.amount * quantity for price, quantity in listed)
    if total > MOST:
        raise TotalTooLarge(f"the total is over {MOST} minor units", field="lines")
    return Money(total, currency)


def vat_of(gross: int, permille: int) -> int:
    """Return the VAT that a gross amount has at a rate, rounded half to even."""
    parts = 1000 + permille
    vat, rest = divmod(gross * permille, parts)
    return vat + (2 * rest > parts or (2 * rest == parts and vat % 2))


def check_currency(code: str) -> str:
    """Return the code of a currency. Raises `Invalid`."""
    from babel.core import get_global  # noqa: PLC0415 (CLDR takes long to load)

    if code not in get_global("all_currencies"):
        raise Invalid(f"is the code of a currency (ISO 4217), like EUR; {code[:20]!r} is none")
    return code


def digits_of(currency: str) -> int:
    """Return how many digits a currency has after the point: JPY 0, EUR 2, KWD 3."""
    from babel.numbers import get_currency_precision  # noqa: PLC0415 (as above)

    return get_currency_precision(currency)


def plain_amount(amount: int, currency: str) -> str:
    """Return an amount in digits with a point, like 39.98."""
    return f"{Decimal(amount).scaleb(-digits_of(currency)):f}"


def show_amount(money: Money, locale: str) -> str:
    """Return an amount with its currency as people of a locale write it."""
    from babel.numbers import format_currency  # noqa: PLC0415 (as above)

    digits = digits_of(money.currency)
    text: str = format_currency(Decimal(money.amount).scaleb(-digits), money.currency, locale=locale)
    return text


def show_number(money: Money, locale: str) -> str:
    """Return an amount without its currency, as people of a locale type it."""
    from babel.numbers import format_decimal  # noqa: PLC0415 (as above)

    digits = digits_of(money.currency)
    pattern = f"0.{'0' * digits}" if digits else "0"
    text: str = format_decimal(Decimal(money.amount).scaleb(-digits), pattern, locale=locale)
    return text


def read_amount(text: str, currency: str, locale: str) -> Money:
    """Return the amount that a person has typed, as 19,99 or 19.99 by locale. Raises `Invalid`."""
    from babel.numbers import NumberFormatError, parse_decimal  # noqa: PLC0415 (as above)

    typed = text.strip()
    try:
        if any(character.isalpha() for character in typed):
            raise ValueError(typed[:20])  # noqa: TRY301 (digits with an exponent are numbers, but no amounts)
        value = parse_decimal(typed, locale=locale, strict=True)
        units = value.scaleb(digits_of(currency))
        amount = int(units)
    except (NumberFormatError, InvalidOperation, ValueError, OverflowError):
        raise Invalid(f"is no amount; write it as {show_number(Money(1999, currency), locale)}") from None
    if amount != units or not 0 <= amount <= MOST:
        digits = digits_of(currency)
        raise Invalid(f"is at least 0, with up to {digits} digits after the point")
    return Money(amount, currency)
