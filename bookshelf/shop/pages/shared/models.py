"""The answers of the API that the pages of the shop show."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from bookshelf.shop.money import Money
from bookshelf.shop.values import Attribute, Reason
from bookshelf.site.api_adapters import target
from bookshelf.site.page_request import PageRequest

#: How many products one request can ask for.
_PRODUCTS_MOST = 100


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
    """A line of an order; a page adds the picture that its product has now."""

    product: str
    quantity: int
    name: str | None
    price: Money | None
    answer: str
    image: str = ""


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


async def products_of(request: PageRequest, orders: Iterable[ShopOrder]) -> Mapping[str, ShopProduct]:
    """Return the products of orders by id, as far as they can be read."""
    wanted = sorted({line.product for order in orders for line in order.lines})[:_PRODUCTS_MOST]
    if not wanted:
        return {}
    asked = target("/shop/products", ids=",".join(wanted), limit=_PRODUCTS_MOST)
    found = await request.api.try_get(asked, kind=list[ShopProduct])
    return {} if found is None else {one.id: one for one in found.body}


def with_names(order: ShopOrder, products: Mapping[str, ShopProduct]) -> ShopOrder:
    """Return an order whose lines have pictures, and the names of their products also where it has none."""
    return msgspec.structs.replace(
        order, lines=tuple(_with_name(line, products.get(line.product)) for line in order.lines)
    )


def _with_name(line: ShopOrderLine, product: ShopProduct | None) -> ShopOrderLine:
    if product is None:
        return line
    return msgspec.structs.replace(line, name=line.name or product.name, image=product.image)


class ShopCredit(msgspec.Struct, frozen=True):
    """The credit of a customer: what there is, what orders have reserved of it, and what is left."""

    customer: str
    balance: Money
    reserved: Money
    available: Money
