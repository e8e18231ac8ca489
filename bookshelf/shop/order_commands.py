"""The commands of an order."""

from datetime import datetime
from typing import ClassVar, Literal

from bookshelf.cqrs.message import Command
from bookshelf.shop.order_events import Address, InvoiceAddress, Terms
from bookshelf.shop.values import BoughtLine, OrderLine, Reason


class PlaceOrder(Command, frozen=True, kw_only=True):
    """Order products; every line may name the price that the customer saw."""

    TYPE: ClassVar[str] = "shop.place-order.v1"
    terms: Terms
    lines: tuple[OrderLine, ...]
    address: Address | None = None
    invoice_address: InvoiceAddress | None = None
    at: datetime


class NoteStock(Command, frozen=True, kw_only=True):
    """Note that units of a product are held for the order, or why they are not."""

    TYPE: ClassVar[str] = "shop.note-stock.v1"
    product: str
    line: BoughtLine | None = None
    reason: Reason | None = None
    at: datetime


class NotePayment(Command, frozen=True, kw_only=True):
    """Note that the total is reserved, or why it is not."""

    TYPE: ClassVar[str] = "shop.note-payment.v1"
    reason: Reason | None = None
    at: datetime


class NoteTaken(Command, frozen=True, kw_only=True):
    """Note that a part is taken: the units of a product, or the payment."""

    TYPE: ClassVar[str] = "shop.note-taken.v1"
    part: str
    at: datetime


class CancelOrder(Command, frozen=True, kw_only=True):
    """Cancel the order, for its customer; without `customer`, for a manager."""

    TYPE: ClassVar[str] = "shop.cancel-order.v1"
    customer: str | None = None
    at: datetime


class ExpireOrder(Command, frozen=True, kw_only=True):
    """Cancel an order of which not every part has answered."""

    TYPE: ClassVar[str] = "shop.expire-order.v1"
    at: datetime


class StallOrder(Command, frozen=True, kw_only=True):
    """Note that an approved order does not go on."""

    TYPE: ClassVar[str] = "shop.stall-order.v1"
    reason: Literal["timeout", "capture-declined"]
    decline: str = ""


class RetryCapture(Command, frozen=True, kw_only=True):
    """Have a declined capture tried again."""

    TYPE: ClassVar[str] = "shop.retry-capture.v1"
    at: datetime


class ShipOrder(Command, frozen=True, kw_only=True):
    """Note that the products are on their way."""

    TYPE: ClassVar[str] = "shop.ship-order.v1"
    tracking: str = ""
    at: datetime
