"""The events of payments by card, of series of numbers, and of invoices."""

from datetime import datetime
from typing import ClassVar

from bookshelf.cqrs.message import Event
from bookshelf.shop.money import Money
from bookshelf.shop.order_events import InvoiceAddress
from bookshelf.shop.values import BoughtLine, VatSum


class PaymentRequested(Event, frozen=True, kw_only=True):
    """An amount is to be authorized on the card of a token."""

    TYPE: ClassVar[str] = "shop.payment-requested.v1"
    amount: Money
    card: str


class PaymentAuthorized(Event, frozen=True, kw_only=True):
    """The provider holds the amount; `authorization` is its name for that."""

    TYPE: ClassVar[str] = "shop.payment-authorized.v1"
    authorization: str


class PaymentDeclined(Event, frozen=True, kw_only=True):
    """The provider declines the card, for the reason of this code."""

    TYPE: ClassVar[str] = "shop.payment-declined.v1"
    decline: str


class CaptureRequested(Event, frozen=True, kw_only=True):
    """The authorized amount is to be paid."""

    TYPE: ClassVar[str] = "shop.capture-requested.v1"
    amount: Money
    authorization: str


class PaymentCaptured(Event, frozen=True, kw_only=True):
    """The amount is paid."""

    TYPE: ClassVar[str] = "shop.payment-captured.v1"
    amount: Money


class CaptureDeclined(Event, frozen=True, kw_only=True):
    """The provider declines the payment of what it had authorized."""

    TYPE: ClassVar[str] = "shop.capture-declined.v1"
    decline: str


class VoidRequested(Event, frozen=True, kw_only=True):
    """The provider is to hold nothing for the order any more, also if it has not answered yet."""

    TYPE: ClassVar[str] = "shop.void-requested.v1"


class PaymentVoided(Event, frozen=True, kw_only=True):
    """The provider holds nothing for the order."""

    TYPE: ClassVar[str] = "shop.payment-voided.v1"


class Numbered(Event, frozen=True, kw_only=True):
    """An order has the next number of the series."""

    TYPE: ClassVar[str] = "shop.numbered.v1"
    order: str
    number: int


class InvoiceWritten(Event, frozen=True, kw_only=True):
    """The invoice of a final order. It never changes; it also fixes the name and address of the seller."""

    TYPE: ClassVar[str] = "shop.invoice-written.v1"
    number: str
    customer: str
    address: InvoiceAddress | None = None
    seller: str
    seller_address: str
    lines: tuple[BoughtLine, ...]
    vat: tuple[VatSum, ...]
    total: Money
    ordered: datetime
    finalized: datetime


PAYMENT_EVENTS = (
    PaymentRequested,
    PaymentAuthorized,
    PaymentDeclined,
    CaptureRequested,
    PaymentCaptured,
    CaptureDeclined,
    VoidRequested,
    PaymentVoided,
)
SERIES_EVENTS = (Numbered,)
INVOICE_EVENTS = (InvoiceWritten,)
