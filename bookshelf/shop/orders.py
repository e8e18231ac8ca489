"""The view of orders: the events of each, of which an order and its history are made, and what lists need."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    MetaData,
    Table,
    bindparam,
    insert,
    select,
    update,
)

from bookshelf.cqrs.message import Event
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.order_events import (
    ORDER_EVENTS,
    OrderApproved,
    OrderCanceled,
    OrderFinalized,
    OrderPlaced,
)
from bookshelf.shop.payment_events import InvoiceWritten
from bookshelf.storage.statements import TEXT

TABLES = MetaData()
orders = Table(
    "orders_order",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("customer", TEXT, nullable=False),
    Column("status", TEXT, nullable=False),
    Column("placed", TEXT, nullable=False),
    Column("invoice", TEXT, nullable=False),
    Column("version", BigInteger, nullable=False),
)
Index("orders_of_customer", orders.c.customer, orders.c.placed, orders.c.id)
order_events = Table(
    "orders_event",
    TABLES,
    Column("subject", TEXT, primary_key=True),
    Column("record", BigInteger, primary_key=True, autoincrement=False),
    Column("type", TEXT, nullable=False),
    Column("time", TEXT, nullable=False),
    Column("actor", TEXT, nullable=False),
    Column("data", TEXT, nullable=False),
)
_row: Any = bindparam("row")
_PLACE = insert(orders)
_TOUCH = update(orders).where(orders.c.id == _row).values(version=bindparam("offset"))
_MOVE = (
    update(orders)
    .where(orders.c.id == _row)
    .values(status=bindparam("new_status"), version=bindparam("offset"))
)
_INVOICE = (
    update(orders).where(orders.c.id == _row).values(invoice=bindparam("number"), version=bindparam("offset"))
)
_KEEP = insert(order_events)
_STATUS: Mapping[type[Event], str] = {
    OrderApproved: "APPROVED",
    OrderCanceled: "CANCELED",
    OrderFinalized: "FINALIZED",
}


def _kept(event: Event, recorded: Recorded) -> Iterable[Change]:
    """Keep an event of an order, and what lists need of it."""
    key, version = recorded.subject, {"row": recorded.subject, "offset": recorded.offset}
    if isinstance(event, OrderPlaced):
        row = {"id": key, "customer": event.terms.customer, "status": "PENDING", "invoice": ""}
        yield _PLACE, {**row, "placed": recorded.time.isoformat(), "version": recorded.offset}
    elif type(event) in _STATUS:
        yield _MOVE, {**version, "new_status": _STATUS[type(event)]}
    else:
        yield _TOUCH, version
    yield (
        _KEEP,
        {
            "subject": key,
            "record": recorded.offset,
            "type": recorded.type,
            "time": recorded.time.isoformat(),
            "actor": recorded.actor,
            "data": recorded.data.decode(),
        },
    )


def _invoiced(event: InvoiceWritten, recorded: Recorded) -> Iterable[Change]:
    yield _INVOICE, {"row": recorded.subject, "number": event.number, "offset": recorded.offset}


HANDLERS: Mapping[type[Any], Handler] = {
    **dict.fromkeys(ORDER_EVENTS, _kept),
    InvoiceWritten: _invoiced,
}
VIEW = View(name="orders", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True)


def events_of(db: Any, order: str) -> list[Any]:  # noqa: ANN401 (the storage's connection, rows)
    """Return the rows of the events of an order, in log order."""
    query = select(order_events).where(order_events.c.subject == order).order_by(order_events.c.record)
    return list(db.execute(query))
