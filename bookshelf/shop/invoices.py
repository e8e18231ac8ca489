"""The view of invoices: each as it was written, and what was sold by day and product, in the shop's zone."""

from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, insert

from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.payment_events import InvoiceWritten
from bookshelf.storage.statements import TEXT

TABLES = MetaData()
invoices = Table(
    "invoices_invoice",
    TABLES,
    Column("order", TEXT, primary_key=True),
    Column("number", TEXT, nullable=False),
    Column("customer", TEXT, nullable=False),
    Column("day", TEXT, nullable=False),
    Column("currency", TEXT, nullable=False),
    Column("gross", BigInteger, nullable=False),
    Column("vat", BigInteger, nullable=False),
    Column("net", BigInteger, nullable=False),
    Column("data", TEXT, nullable=False),
)
Index("invoices_by_number", invoices.c.number)
Index("invoices_of_customer", invoices.c.customer, invoices.c.number, invoices.c.order)
Index("invoices_by_day", invoices.c.day)
invoice_lines = Table(
    "invoices_line",
    TABLES,
    Column("order", TEXT, primary_key=True),
    Column("product", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("day", TEXT, nullable=False),
    Column("units", Integer, nullable=False),
    Column("gross", BigInteger, nullable=False),
)
Index("invoices_line_by_day", invoice_lines.c.day, invoice_lines.c.product)
_WRITE, _ADD_LINE = insert(invoices), insert(invoice_lines)


def invoices_view(zone: str) -> View:
    """Return the view, for a shop in this time zone: its days are those of the purchases there."""
    place = ZoneInfo(zone)

    def written(event: InvoiceWritten, recorded: Recorded) -> Iterable[Change]:
        """Keep an invoice and its lines."""
        day = event.finalized.astimezone(place).date().isoformat()
        sums = {name: sum(getattr(rate, name) for rate in event.vat) for name in ("gross", "vat", "net")}
        row = {"order": recorded.subject, "number": event.number, "customer": event.customer, "day": day}
        data = recorded.data.decode()
        yield _WRITE, {**row, **sums, "currency": event.total.currency, "data": data}
        for line in event.lines:
            sold = {"product": line.product, "name": line.name, "units": line.quantity, "gross": line.gross}
            yield _ADD_LINE, {**sold, "order": recorded.subject, "day": day}

    handlers: Mapping[type[Any], Handler] = {InvoiceWritten: written}
    return View(name="invoices", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=handlers, keyed=True)
