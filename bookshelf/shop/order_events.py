"""The events of an order. What an arrow starts from has everything that the arrow needs."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec

from bookshelf.cqrs.message import Event, sealed
from bookshelf.shop.money import Money
from bookshelf.shop.values import BoughtLine, OrderLine, Reason

#: How an order is paid.
Method = Literal["credit", "card"]
#: The part of an order that is no line: its payment.
PAYMENT_PART = "payment"
#: A billing address, sealed with the key of its customer; and with that of a year, for the invoice, which is
#: kept when the customer is forgotten.
Address = Annotated[str, sealed("shop_address")]
InvoiceAddress = Annotated[str, sealed("shop_invoice_address", shared=True)]


class Terms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The customer of an order and how it is paid. `card` is the provider's token for a card, not its number.

    `cart`: its lines are those of the customer's cart.
    """

    customer: str
    pay: Method = "credit"
    card: str = ""
    cart: bool = False


class OrderPlaced(Event, frozen=True, kw_only=True):
    """A customer orders products. `total` is known if every line has the price that the customer saw."""

    TYPE: ClassVar[str] = "shop.order-placed.v1"
    terms: Terms
    lines: tuple[OrderLine, ...]
    total: Money | None = None
    address: Address | None = None
    invoice_address: InvoiceAddress | None = None
    at: datetime


class OrderPriced(Event, frozen=True, kw_only=True):
    """The holds have fixed the prices of an order that was placed without them."""

    TYPE: ClassVar[str] = "shop.order-priced.v1"
    terms: Terms
    total: Money


class StockAnswered(Event, frozen=True, kw_only=True):
    """Units of a line are held, for this price of each; or they are not, for a reason."""

    TYPE: ClassVar[str] = "shop.stock-answered.v1"
    product: str
    line: BoughtLine | None = None
    reason: Reason | None = None


class PaymentAnswered(Event, frozen=True, kw_only=True):
    """The total is reserved; or it is not, for a reason."""

    TYPE: ClassVar[str] = "shop.payment-answered.v1"
    reason: Reason | None = None


class OrderApproved(Event, frozen=True, kw_only=True):
    """Every line and the total are reserved: from here on the order goes forward only."""

    TYPE: ClassVar[str] = "shop.order-approved.v1"
    terms: Terms
    lines: tuple[OrderLine, ...]
    total: Money
    at: datetime


class OrderCanceled(Event, frozen=True, kw_only=True):
    """The order has ended without a purchase, for all these reasons.

    `approved`: it was approved and has stalled, so what was taken goes back. Without `total`, no payment was
    asked for.
    """

    TYPE: ClassVar[str] = "shop.order-canceled.v1"
    terms: Terms
    lines: tuple[OrderLine, ...]
    total: Money | None = None
    reasons: tuple[Reason, ...]
    approved: bool = False
    at: datetime


class PartTaken(Event, frozen=True, kw_only=True):
    """A part of an approved order is taken: the units of a product, or the payment."""

    TYPE: ClassVar[str] = "shop.part-taken.v1"
    part: str


class OrderFinalized(Event, frozen=True, kw_only=True):
    """Every part is taken: the products are bought and paid."""

    TYPE: ClassVar[str] = "shop.order-finalized.v1"
    terms: Terms
    lines: tuple[BoughtLine, ...]
    total: Money
    at: datetime


class OrderStalled(Event, frozen=True, kw_only=True):
    """An approved order does not go on: `timeout`, or `capture-declined` with the code of the provider."""

    TYPE: ClassVar[str] = "shop.order-stalled.v1"
    reason: Literal["timeout", "capture-declined"]
    decline: str = ""


class CaptureRetried(Event, frozen=True, kw_only=True):
    """A manager has a declined capture tried again."""

    TYPE: ClassVar[str] = "shop.order-capture-retried.v1"
    at: datetime


class OrderShipped(Event, frozen=True, kw_only=True):
    """The products are on their way."""

    TYPE: ClassVar[str] = "shop.order-shipped.v1"
    tracking: str = ""
    at: datetime


ORDER_EVENTS = (
    OrderPlaced,
    OrderPriced,
    StockAnswered,
    PaymentAnswered,
    OrderApproved,
    OrderCanceled,
    PartTaken,
    OrderFinalized,
    OrderStalled,
    CaptureRetried,
    OrderShipped,
)
