"""The questions that orders answer to their customers: all, one, and the history of one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import select

from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.route import Answer, Owned, QueryRoute
from bookshelf.shop.events import EVENTS
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER, PATIENCE, Order
from bookshelf.shop.orders import VIEW, events_of, orders
from bookshelf.shop.values import BUY, Reason, detail_of
from bookshelf.shop.welcome import LOCAL_READER
from bookshelf.storage.paging import After, Limit, Sort, count_rows, list_page

OrderId = Annotated[str, Meta(description="the id of the order", examples=["o-1"])]
OrderStatus = Literal["PENDING", "APPROVED", "FINALIZED", "CANCELED"]
PartStatus = Annotated[
    Literal["PENDING", "RECEIVED", "APPROVED", "DENIED"],
    Meta(description="RECEIVED: it has answered, the other has not"),
]


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order; name and price are those of its hold, or the price that it was ordered at."""

    product: str
    quantity: int
    name: str | None
    price: Money | None
    answer: Annotated[str, Meta(description="reserved, waiting, or the code of a reason")]


class ReasonAnswer(Reason, frozen=True, kw_only=True, omit_defaults=True):
    """A reason, also as a sentence."""

    detail: str


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An order, with all reasons if it was canceled."""

    id: OrderId
    state: OrderStatus
    stock: PartStatus
    payment: PartStatus
    pay: Literal["credit", "card"]
    customer: str
    placed: datetime
    deadline: Annotated[datetime, Meta(description="when the wait for its parts ends")]
    total: Money | None
    lines: list[LineAnswer]
    reasons: list[ReasonAnswer]
    stalled: Annotated[str, Meta(description="timeout, capture-declined, or empty")]
    shipped: datetime | None
    tracking: str
    address: Annotated[str | None, Meta(description="the billing address, or forgotten, as its customer is")]
    invoice: Annotated[str | None, Meta(description="the number of its invoice")]


class OrderEventAnswer(msgspec.Struct, frozen=True):
    """An entry of the history of an order."""

    type: Annotated[str, Meta(examples=["shop.order-placed.v1"])]
    time: str
    actor: str


class OrdersQuery(Owned, forbid_unknown_fields=True):
    """Which orders, how many, and from where on."""

    state: OrderStatus | None = None
    limit: Limit = 24
    after: After | None = None


class OrderQuery(Owned, forbid_unknown_fields=True, kw_only=True):
    """Which order."""

    id: OrderId


def _state_of(rows: Sequence[Any]) -> Order:
    decoded = (EVENTS.decode(row.type, row.data.encode()) for row in rows)
    return ORDER.fold(event for event in decoded if event is not None)


def _lines(order: Order) -> list[LineAnswer]:
    lines = []
    for line in order.lines:
        held, denied = order.held.get(line.product), order.denied.get(line.product)
        lines.append(
            LineAnswer(
                product=line.product,
                quantity=line.quantity,
                name=held.name if held else None,
                price=held.price if held else line.price,
                answer="reserved" if held else denied.code if denied else "waiting",
            )
        )
    return lines


def _currency(order: Order) -> str:
    prices = [line.price for line in order.bought]
    prices += [line.price for line in order.lines if line.price is not None]
    return prices[0].currency if prices else "EUR"  # without a price no reason has an amount


def to_order_answer(order_id: str, order: Order, invoice: str) -> OrderAnswer:
    """Return an order as it is answered."""
    assert order.status  # noqa: S101 (it was placed)
    assert order.placed is not None  # noqa: S101 (as above)
    currency = _currency(order)
    reasons = order.reasons or order.known_reasons
    return OrderAnswer(
        id=order_id,
        state=order.status,
        stock=order.stock_answer,
        payment=order.payment_answer,
        pay=order.terms.pay,
        customer=order.terms.customer,
        placed=order.placed,
        deadline=order.placed + PATIENCE,
        total=order.total,
        lines=_lines(order),
        reasons=[
            ReasonAnswer(**msgspec.structs.asdict(reason), detail=detail_of(reason, currency))
            for reason in reasons
        ],
        stalled=order.stalled,
        shipped=order.shipped,
        tracking=order.tracking,
        address=order.address,
        invoice=invoice or None,
    )


def own_orders(db: Any, asked: OrdersQuery) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return a page of the caller's orders, the newest first. Raises `Invalid`."""
    query = select(orders).where(orders.c.customer == (asked.owner or LOCAL_READER))
    if asked.state is not None:
        query = query.where(orders.c.status == asked.state)
    page = list_page(
        db,
        query,
        orders.c.id,
        order="-placed",
        sort=Sort((orders.c.placed,), (str,)),
        limit=asked.limit,
        render=lambda row: to_order_answer(row.id, _state_of(events_of(db, row.id)), row.invoice),
        after=asked.after,
    )
    return Answer(page.items, after=page.after, count=count_rows(db, query))


def _own(db: Any, asked: OrderQuery) -> Any:  # noqa: ANN401 (as above, a row)
    customer = asked.owner or LOCAL_READER
    row = db.execute(select(orders).where(orders.c.id == asked.id, orders.c.customer == customer)).first()
    if row is None:
        raise NotFound("there is no such order")
    return row


def own_order(db: Any, asked: OrderQuery) -> Answer:  # noqa: ANN401 (as above)
    """Return an order of the caller. Raises `NotFound`, for those of others too."""
    row = _own(db, asked)
    state = _state_of(events_of(db, asked.id))
    return Answer(to_order_answer(asked.id, state, row.invoice), version=str(row.version))


def own_history(db: Any, asked: OrderQuery) -> Answer:  # noqa: ANN401 (as above)
    """Return what has happened to an order of the caller, in its order. Raises `NotFound`."""
    _own(db, asked)
    return Answer([OrderEventAnswer(row.type, row.time, row.actor) for row in events_of(db, asked.id)])


ORDER_ROUTES = (
    QueryRoute(
        path="/shop/orders",
        summary="One's orders, the newest first",
        view=VIEW,
        query=own_orders,
        params=OrdersQuery,
        returns=list[OrderAnswer],
        counted=True,
        requires=BUY,
    ),
    QueryRoute(
        path="/shop/orders/{id}",
        summary="An order",
        view=VIEW,
        query=own_order,
        params=OrderQuery,
        returns=OrderAnswer,
        requires=BUY,
    ),
    QueryRoute(
        path="/shop/orders/{id}/history",
        summary="What has happened to an order",
        view=VIEW,
        query=own_history,
        params=OrderQuery,
        returns=list[OrderEventAnswer],
        requires=BUY,
    ),
)
