"""The answers of the API that only the pages of managers show."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from bookshelf.shop.money import Money
from bookshelf.shop.values import BoughtLine, VatSum


class OrderCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders there are, by state and by reason; how many have stalled, or are to be shipped.

    `zone` is the time zone of the shop, whose days are meant.
    """

    orders: int
    by_state: Mapping[str, int]
    by_reason: Mapping[str, int]
    stalled: int
    to_ship: int
    zone: str = "UTC"


class Earned(msgspec.Struct, frozen=True, kw_only=True):
    """What was earned in a period, or with a product, in minor units."""

    key: str
    gross: int
    currency: str
    orders: int
    vat: int | None = None
    net: int | None = None
    units: int | None = None
    name: str | None = None


class ShopCurrency(msgspec.Struct, frozen=True):
    """The currency of the shop's prices."""

    currency: str


class CreditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a credit; the amount is in minor units."""

    type: str
    amount: int
    time: datetime
    actor: str = ""
    order: str = ""
    why: str = ""
    currency: str = ""


class WrittenInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice."""

    number: str
    order: str
    customer: str
    lines: tuple[BoughtLine, ...]
    vat: tuple[VatSum, ...]
    total: Money
    finalized: datetime


class ProductEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the history of a product and its units."""

    type: str
    time: datetime
    actor: str = ""
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)


class ListedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a person, as managers see it."""

    id: str
    handle: str
    name: str
    email: str
    groups: tuple[str, ...]
    since: datetime
    suspended: bool = False


class ListedGroup(msgspec.Struct, frozen=True):
    """A group of people."""

    name: str
    description: str = ""
