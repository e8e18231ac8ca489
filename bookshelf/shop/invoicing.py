"""The process of invoicing: a final order gets the next number of its year, then its invoice."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import msgspec

from bookshelf.cqrs.process import Process, Send, on
from bookshelf.cqrs.view import Recorded
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.invoice import INVOICE, WriteInvoice
from bookshelf.shop.order_events import OrderFinalized
from bookshelf.shop.payment_events import Numbered
from bookshelf.shop.series import SERIES, Number

_SERIES = "invoices-"


class Seller(msgspec.Struct, frozen=True):
    """The shop as its invoices name it, and the time zone of their years."""

    name: str
    address: str = ""
    zone: str = "UTC"


def invoice_number(series: str, number: int) -> str:
    """Return the number of an invoice as people have it: 2026-000001."""
    return f"{series.removeprefix(_SERIES)}-{number:06}"


def invoicing(seller: Seller) -> Process:
    """Return the process, for a seller."""
    zone = ZoneInfo(seller.zone)

    def number_order(_event: OrderFinalized, recorded: Recorded) -> Iterable[Send]:
        """Give the order the next number of its year."""
        series = f"{_SERIES}{recorded.time.astimezone(zone).year}"
        yield Send(SERIES, series, Number(order=recorded.subject))

    def write_invoice(event: Numbered, recorded: Recorded) -> Iterable[Send]:
        """Write the invoice of the order that has the number."""
        number = invoice_number(recorded.subject, event.number)
        write = WriteInvoice(number=number, seller=seller.name, seller_address=seller.address)
        yield Send(INVOICE, event.order, write)

    return Process(
        name="invoicing",
        topic=TOPIC,
        catalogue=EVENTS,
        arrows=(on(OrderFinalized, then=[number_order]), on(Numbered, then=[write_invoice])),
    )
