"""The answers of the API that the pages of the shop show."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from bookshelf.shop.money import Money
from bookshelf.shop.values import Attribute, Reason


class ShopProduct(msgspec.Struct, frozen=True, kw_only=True):
    """A product; the numbers of its units only for managers."""

    id: str
    name: str
    price: Money
    availability: str
    vat_permille: int = 0
    added: str = ""
    category: str = ""
    supplier: str = ""
    description: str = ""
    image: str = ""
    attributes: Mapping[str, Attribute] = msgspec.field(default_factory=dict)
    unique: bool = False
    removed: bool = False
    units: int | None = None
    reserved: int | None = None
    available: int | None = None


class ShopCategory(msgspec.Struct, frozen=True):
    """A category, and how many of its products are sold."""

    id: str
    name: str
    products: int


class ShownCartLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a cart: the price that was agreed, and the one of now, None if it is sold no more."""

    product: str
    name: str
    image: str
    quantity: int
    unique: bool
    price: Money | None
    now: Money | None
    availability: str
    removed: bool
    subtotal: Money | None

    @property
    def is_dearer(self) -> bool:
        """True if the price is not the agreed one any more."""
        return self.price is not None and self.now is not None and self.price != self.now

    @property
    def can_be_ordered(self) -> bool:
        """True if it is sold, and there is at least one."""
        return self.now is not None and not self.removed and self.availability != "out"


class ShownCart(msgspec.Struct, frozen=True, kw_only=True):
    """The cart of a customer."""

    lines: tuple[ShownCartLine, ...]
    total: Money | None
    count: int


class ShopOrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order."""

    product: str
    quantity: int
    name: str | None
    price: Money | None
    answer: str


class ShopOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order, as its customer and managers see it."""

    id: str
    state: str
    pay: str
    customer: str
    placed: datetime
    total: Money | None
    lines: tuple[ShopOrderLine, ...]
    reasons: tuple[Reason, ...]
    stalled: str
    shipped: datetime | None
    tracking: str
    invoice: str | None
    address: str | None = None


class ShopOrderEvent(msgspec.Struct, frozen=True):
    """An entry of the history of an order."""

    type: str
    time: datetime
    actor: str = ""


class ShopCredit(msgspec.Struct, frozen=True):
    """The credit of a customer: what there is, what orders have reserved of it, and what is left."""

    customer: str
    balance: Money
    reserved: Money
    available: Money
