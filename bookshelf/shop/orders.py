"""The view of orders: the events of each, of which an order and its history are made, and what lists need."""

from collections.abc import Iterable, Mapping, Sequence
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
    CaptureRetried,
    OrderApproved,
    OrderCanceled,
    OrderFinalized,
    OrderPlaced,
    OrderShipped,
    OrderStalled,
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
    Column("stalled", TEXT, nullable=False),
    Column("shipped", TEXT, nullable=False),
    Column("version", BigInteger, nullable=False),
)
Index("orders_of_customer", orders.c.customer, orders.c.placed, orders.c.id)
Index("orders_by_time", orders.c.placed, orders.c.id)
order_reasons = Table(
    "orders_reason",
    TABLES,
    Column("code", TEXT, primary_key=True),
    Column("order", TEXT, primary_key=True),
)
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
_STALL = (
    update(orders).where(orders.c.id == _row).values(stalled=bindparam("reason"), version=bindparam("offset"))
)
_SHIP = (
    update(orders).where(orders.c.id == _row).values(shipped=bindparam("time"), version=bindparam("offset"))
)
_REASON = insert(order_reasons)
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
        row = {"id": key, "customer": event.terms.customer, "placed": recorded.time.isoformat()}
        empty = {"status": "PENDING", "invoice": "", "stalled": "", "shipped": ""}
        yield _PLACE, {**row, **empty, "version": recorded.offset}
    else:
        yield _moved(event, recorded, version)
    if isinstance(event, OrderCanceled):
        for code in dict.fromkeys(reason.code for reason in event.reasons):
            yield _REASON, {"order": key, "code": code}
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


def _moved(event: Event, recorded: Recorded, version: Mapping[str, object]) -> Change:
    """Return the change of the row that lists need."""
    match event:
        case OrderStalled(reason=reason):
            return _STALL, {**version, "reason": reason}
        case CaptureRetried():
            return _STALL, {**version, "reason": ""}
        case OrderShipped():
            return _SHIP, {**version, "time": recorded.time.isoformat()}
        case _ if type(event) in _STATUS:
            return _MOVE, {**version, "new_status": _STATUS[type(event)]}
    return _TOUCH, version


def _invoiced(event: InvoiceWritten, recorded: Recorded) -> Iterable[Change]:
    yield _INVOICE, {"row": recorded.subject, "number": event.number, "offset": recorded.offset}


HANDLERS: Mapping[type[Any], Handler] = {
    **dict.fromkeys(ORDER_EVENTS, _kept),
    InvoiceWritten: _invoiced,
}
VIEW = View(name="orders", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True)


def events_of(db: Any, order: str) -> list[Any]:  # noqa: ANN401 (the storage's connection, rows)
    """Return the rows of the events of an order, in log order."""
    return _events_of_all(db, [order])[order]


def _events_of_all(db: Any, orders_of_page: Sequence[str]) -> dict[str, list[Any]]:  # noqa: ANN401 (as above)
    found: dict[str, list[Any]] = {order: [] for order in orders_of_page}
    if found:
        query = select(order_events).where(order_events.c.subject.in_(list(found)))
        for row in db.execute(query.order_by(order_events.c.subject, order_events.c.record)):
            found[row.subject].append(row)
    return found


class EventsOfOrders:
    """The events of the orders of a page of a list, which are read at once."""

    def __init__(self, db: Any) -> None:  # noqa: ANN401 (as above)
        self._db = db
        self._found: dict[str, list[Any]] = {}

    def read(self, orders_of_page: Sequence[str]) -> None:
        """Read the events of these orders with one statement."""
        self._found = _events_of_all(self._db, orders_of_page)

    def of(self, order: str) -> list[Any]:
        """Return the rows of the events of one of them, in log order."""
        return self._found[order]
