"""The events of the shop, and the catalogue of their topic.

Their keys are the ids of products (`p-…`), categories (`c-…`), accounts, carts (`k-ACCOUNT`), orders
(`o-…`) and series (`invoices-YEAR`). Products and their stock have one key, and so have an order, its
payment and its invoice.
"""

from typing import ClassVar

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event
from bookshelf.shop.money import Money
from bookshelf.shop.order_events import ORDER_EVENTS
from bookshelf.shop.payment_events import INVOICE_EVENTS, PAYMENT_EVENTS, SERIES_EVENTS
from bookshelf.shop.values import OrderLine, ProductDetails

TOPIC = "shop"


class ProductAdded(Event, frozen=True, kw_only=True):
    """The shop sells a product, and has these units of it."""

    TYPE: ClassVar[str] = "shop.product-added.v1"
    details: ProductDetails
    price: Money
    units: int


class ProductChanged(Event, frozen=True, kw_only=True):
    """The product is described by these details from now on."""

    TYPE: ClassVar[str] = "shop.product-changed.v1"
    details: ProductDetails


class ProductRepriced(Event, frozen=True, kw_only=True):
    """A unit has another price."""

    TYPE: ClassVar[str] = "shop.product-repriced.v1"
    price: Money


class ProductRemoved(Event, frozen=True, kw_only=True):
    """The product is sold no more; units that are held for orders stay held."""

    TYPE: ClassVar[str] = "shop.product-removed.v1"


class UnitsAdded(Event, frozen=True, kw_only=True):
    """More units are there."""

    TYPE: ClassVar[str] = "shop.units-added.v1"
    units: int
    why: str = ""


class UnitsSet(Event, frozen=True, kw_only=True):
    """The units were counted, those that are held among them."""

    TYPE: ClassVar[str] = "shop.units-set.v1"
    units: int
    why: str = ""


class StockReserved(Event, frozen=True, kw_only=True):
    """Units are held for an order, for this price of each."""

    TYPE: ClassVar[str] = "shop.stock-reserved.v1"
    order: str
    quantity: int
    price: Money
    name: str
    vat_permille: int


class StockRefused(Event, frozen=True, kw_only=True):
    """No units are held for an order: `reason` is the code of a `Reason`."""

    TYPE: ClassVar[str] = "shop.stock-refused.v1"
    order: str
    reason: str
    quantity: int
    available: int
    agreed: Money | None = None
    price: Money | None = None


class StockReleased(Event, frozen=True, kw_only=True):
    """Units are held for an order no more; they are available again."""

    TYPE: ClassVar[str] = "shop.stock-released.v1"
    order: str
    quantity: int


class StockTaken(Event, frozen=True, kw_only=True):
    """The units that were held for an order are sold."""

    TYPE: ClassVar[str] = "shop.stock-taken.v1"
    order: str
    quantity: int


class UnitsReturned(Event, frozen=True, kw_only=True):
    """Units that an order has taken are back."""

    TYPE: ClassVar[str] = "shop.units-returned.v1"
    order: str
    quantity: int


class CategoryAdded(Event, frozen=True, kw_only=True):
    """There is a category of products."""

    TYPE: ClassVar[str] = "shop.category-added.v1"
    name: str


class CategoryRenamed(Event, frozen=True, kw_only=True):
    """The category has another name."""

    TYPE: ClassVar[str] = "shop.category-renamed.v1"
    name: str


class CategoryRemoved(Event, frozen=True, kw_only=True):
    """The category is gone; a product that still names it has none."""

    TYPE: ClassVar[str] = "shop.category-removed.v1"


class CreditOpened(Event, frozen=True, kw_only=True):
    """The customer has a credit, which begins with this amount."""

    TYPE: ClassVar[str] = "shop.credit-opened.v1"
    amount: Money


class CreditGranted(Event, frozen=True, kw_only=True):
    """The customer has more credit."""

    TYPE: ClassVar[str] = "shop.credit-granted.v1"
    amount: Money
    why: str = ""


class CreditSet(Event, frozen=True, kw_only=True):
    """The credit was set, what is reserved among it; `former` is the amount before."""

    TYPE: ClassVar[str] = "shop.credit-set.v1"
    amount: Money
    former: int
    why: str = ""


class CreditReserved(Event, frozen=True, kw_only=True):
    """An amount is reserved for an order."""

    TYPE: ClassVar[str] = "shop.credit-reserved.v1"
    order: str
    amount: Money


class CreditRefused(Event, frozen=True, kw_only=True):
    """Nothing is reserved for an order: `reason` is the code of a `Reason`."""

    TYPE: ClassVar[str] = "shop.credit-refused.v1"
    order: str
    reason: str
    needed: int
    available: int


class CreditReleased(Event, frozen=True, kw_only=True):
    """An amount is reserved for an order no more; it is available again."""

    TYPE: ClassVar[str] = "shop.credit-released.v1"
    order: str
    amount: Money


class CreditTaken(Event, frozen=True, kw_only=True):
    """The amount that was reserved for an order is paid."""

    TYPE: ClassVar[str] = "shop.credit-taken.v1"
    order: str
    amount: Money


class CreditReturned(Event, frozen=True, kw_only=True):
    """An amount that an order has taken is back."""

    TYPE: ClassVar[str] = "shop.credit-returned.v1"
    order: str
    amount: Money


class LineSet(Event, frozen=True, kw_only=True):
    """The cart has these units of a product; `price` is the one that the customer saw."""

    TYPE: ClassVar[str] = "shop.line-set.v1"
    product: str
    quantity: int
    price: Money


class LineRemoved(Event, frozen=True, kw_only=True):
    """A product is in the cart no more."""

    TYPE: ClassVar[str] = "shop.line-removed.v1"
    product: str


class CartEmptied(Event, frozen=True, kw_only=True):
    """The customer has emptied the cart."""

    TYPE: ClassVar[str] = "shop.cart-emptied.v1"


class CartOrdered(Event, frozen=True, kw_only=True):
    """An order that came from the cart is final: these units are in the cart no more."""

    TYPE: ClassVar[str] = "shop.cart-ordered.v1"
    order: str
    lines: tuple[OrderLine, ...]


PRODUCT_EVENTS = (ProductAdded, ProductChanged, ProductRepriced, ProductRemoved)
STOCK_EVENTS = (
    UnitsAdded,
    UnitsSet,
    StockReserved,
    StockRefused,
    StockReleased,
    StockTaken,
    UnitsReturned,
)
CATEGORY_EVENTS = (CategoryAdded, CategoryRenamed, CategoryRemoved)
CREDIT_EVENTS = (
    CreditOpened,
    CreditGranted,
    CreditSet,
    CreditReserved,
    CreditRefused,
    CreditReleased,
    CreditTaken,
    CreditReturned,
)
CART_EVENTS = (LineSet, LineRemoved, CartEmptied, CartOrdered)
EVENTS = Catalogue(
    *(*PRODUCT_EVENTS, *STOCK_EVENTS, *CATEGORY_EVENTS, *CREDIT_EVENTS, *CART_EVENTS),
    *(*ORDER_EVENTS, *PAYMENT_EVENTS, *SERIES_EVENTS, *INVOICE_EVENTS),
)
