"""The questions on orders: all, one, its history and stream; customers see their own, managers all."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta
from sqlalchemy import Select, func, select

from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.route import Answer, EventsRoute, OwnedOverseen, QueryRoute, Route, Span
from bookshelf.shop.order_queries import (
    OrderAnswer,
    OrderEventAnswer,
    OrderId,
    OrderStatus,
    state_of,
    to_order_answer,
)
from bookshelf.shop.orders import VIEW, EventsOfOrders, events_of, order_reasons, orders
from bookshelf.shop.values import BUY, MANAGE, ME, Customer
from bookshelf.shop.welcome import LOCAL_READER, customer_named
from bookshelf.storage.paging import After, Limit, Sort, count_rows, list_page

_DAYS = {"since": "from", "until": "to"}
_RESTING = frozenset({"FINALIZED", "CANCELED"})


class OrdersQuery(OwnedOverseen, forbid_unknown_fields=True, rename={**_DAYS, "to_ship": "to-ship"}):
    """Which orders, of which days of the shop's zone, both inclusive; how many, and from where on."""

    customer: Customer | None = None
    state: Annotated[OrderStatus, Meta(description="only those in this state")] | None = None
    reason: Annotated[str, Meta(max_length=40, description="a code", examples=["out-of-stock"])] | None = None
    stalled: Annotated[bool, Meta(description="true: only those that do not go on")] = False
    to_ship: Annotated[bool, Meta(description="true: only those that are finalized and not shipped")] = False
    since: Annotated[date, Meta(description="the first day, in the shop's zone")] | None = None
    until: Annotated[date, Meta(description="the last day, in the shop's zone")] | None = None
    sort: Annotated[Literal["placed", "-placed"], Meta(description="the newest first, or last")] = "-placed"
    limit: Limit = 24
    after: After | None = None


class OrderQuery(OwnedOverseen, forbid_unknown_fields=True, kw_only=True):
    """Which order."""

    id: OrderId


class SummaryQuery(msgspec.Struct, forbid_unknown_fields=True, rename=_DAYS):
    """The orders of which days of the shop's zone, both inclusive."""

    since: Annotated[date, Meta(description="the first day, in the shop's zone")] | None = None
    until: Annotated[date, Meta(description="the last day, in the shop's zone")] | None = None


class OrdersSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders there are, by state and by reason; how many have stalled, or are to be shipped."""

    orders: int
    by_state: dict[str, int]
    by_reason: dict[str, int]
    stalled: int
    to_ship: int
    zone: Annotated[str, Meta(description="the shop's time zone, whose days are meant")]


def _first_moment(day: date, zone: ZoneInfo) -> str:
    """Return the beginning of a day of a zone, as the rows have times."""
    beginning = datetime.combine(day, time.min, zone)
    if day == date.min:  # east of UTC it begins before the first moment that there is
        beginning = beginning.replace(tzinfo=UTC)
    return beginning.astimezone(UTC).isoformat()


def _of_days(query: Select[Any], since: date | None, until: date | None, zone: ZoneInfo) -> Select[Any]:
    if since is not None:
        query = query.where(orders.c.placed >= _first_moment(since, zone))
    if until is not None and until < date.max:
        query = query.where(orders.c.placed < _first_moment(until + timedelta(days=1), zone))
    return query


def _seen_by(asked: OwnedOverseen) -> Select[Any]:
    """Return the query of the orders that a caller sees."""
    query = select(orders)
    return query if asked.sees_all else query.where(orders.c.customer == (asked.owner or LOCAL_READER))


def _matching(asked: OrdersQuery, zone: ZoneInfo, local_reader: str) -> Select[Any]:
    query = _seen_by(asked)
    if asked.customer is not None:
        named = customer_named(asked.customer, local_reader)
        customer = (asked.owner or LOCAL_READER) if asked.customer == ME else named
        query = query.where(orders.c.customer == customer)
    query = _of_days(query, asked.since, asked.until, zone)
    if asked.state is not None:
        query = query.where(orders.c.status == asked.state)
    if asked.reason is not None:
        coded = select(order_reasons.c.order).where(order_reasons.c.code == asked.reason)
        query = query.where(orders.c.id.in_(coded))
    if asked.stalled:
        query = query.where(*_STALLED)
    if asked.to_ship:
        query = query.where(*_TO_SHIP)
    return query


_STALLED = (orders.c.status == "APPROVED", orders.c.stalled != "")
_TO_SHIP = (orders.c.status == "FINALIZED", orders.c.shipped == "")


class OrderQueries:
    """The questions on orders, whose days are those of a zone.

    `local_reader`: the account of the local reader; others know that customer by it.
    """

    def __init__(self, zone: str, local_reader: str = LOCAL_READER) -> None:
        self._zone = ZoneInfo(zone)
        self._local_reader = local_reader

    def _shown(self, row: Any, events: Sequence[Any]) -> OrderAnswer:  # noqa: ANN401 (a row)
        return to_order_answer(row.id, state_of(events), row.invoice, self._local_reader)

    def find(self, db: Any, asked: OrdersQuery) -> Answer:  # noqa: ANN401 (the storage's connection)
        """Return a page of the orders that match. Raises `Invalid`."""
        query, recorded = _matching(asked, self._zone, self._local_reader), EventsOfOrders(db)
        page = list_page(
            db,
            query,
            orders.c.id,
            order=asked.sort,
            sort=Sort((orders.c.placed,), (str,)),
            limit=asked.limit,
            render=lambda row: self._shown(row, recorded.of(row.id)),
            after=asked.after,
            gather=lambda rows: recorded.read([row.id for row in rows]),
        )
        return Answer(page.items, after=page.after, count=count_rows(db, query))

    def summary(self, db: Any, asked: SummaryQuery) -> Answer:  # noqa: ANN401 (as above)
        """Return how many orders there are."""
        within = _of_days(select(orders), asked.since, asked.until, self._zone).subquery()
        states = db.execute(select(within.c.status, func.count()).group_by(within.c.status))
        coded = order_reasons.join(within, within.c.id == order_reasons.c.order)
        counted = select(order_reasons.c.code, func.count()).select_from(coded).group_by(order_reasons.c.code)
        by_state = Counter({state: int(number) for state, number in states})
        stalled, to_ship = (
            count_rows(db, _of_days(select(orders), asked.since, asked.until, self._zone).where(*kind))
            for kind in (_STALLED, _TO_SHIP)
        )
        answer = OrdersSummary(
            orders=by_state.total(),
            by_state=dict(sorted(by_state.items())),
            by_reason={code: int(number) for code, number in sorted(map(tuple, db.execute(counted)))},
            stalled=stalled,
            to_ship=to_ship,
            zone=self._zone.key,
        )
        return Answer(answer)

    def one(self, db: Any, asked: OrderQuery) -> Answer:  # noqa: ANN401 (as above)
        """Return an order. Raises `NotFound`, for those of others too."""
        row = _seen(db, asked)
        recorded = events_of(db, asked.id)
        answer = self._shown(row, recorded)
        # that of the order, for If-Match: the record of an invoice does not change it
        version = f"{recorded[-1].record}.{row.invoice}" if row.invoice else f"{recorded[-1].record}"
        return Answer(answer, version=version, at_rest=row.status in _RESTING or bool(row.stalled))

    def now(self, db: Any, asked: OrderQuery, _span: Span) -> Answer:  # noqa: ANN401 (as above)
        """Return an order, for its stream. Raises `NotFound`, for those of others too."""
        return Answer(self.one(db, asked).body)


def _seen(db: Any, asked: OrderQuery) -> Any:  # noqa: ANN401 (as above, a row)
    row = db.execute(_seen_by(asked).where(orders.c.id == asked.id)).first()
    if row is None:
        raise NotFound("there is no such order")
    return row


def order_history(db: Any, asked: OrderQuery) -> Answer:  # noqa: ANN401 (as above)
    """Return what has happened to an order, in its order. Raises `NotFound`, for those of others too."""
    _seen(db, asked)
    return Answer([OrderEventAnswer(row.type, row.time, row.actor) for row in events_of(db, asked.id)])


def _of_one(queries: OrderQueries) -> tuple[Route, ...]:
    return (
        QueryRoute(
            path="/shop/orders/{id}",
            summary="An order",
            view=VIEW,
            query=queries.one,
            params=OrderQuery,
            returns=OrderAnswer,
            waits=True,
            requires=BUY,
            oversees=MANAGE,
        ),
        QueryRoute(
            path="/shop/orders/{id}/history",
            summary="What has happened to an order",
            view=VIEW,
            query=order_history,
            params=OrderQuery,
            returns=list[OrderEventAnswer],
            requires=BUY,
            oversees=MANAGE,
        ),
        EventsRoute(
            path="/shop/orders/{id}/events",
            summary="A stream of an order, whenever it has changed",
            view=VIEW,
            query=queries.now,
            params=OrderQuery,
            returns=OrderAnswer,
            requires=BUY,
            oversees=MANAGE,
        ),
    )


def order_queries(zone: str, local_reader: str = LOCAL_READER) -> tuple[Route, ...]:
    """Return the routes, for a shop in this time zone and with this account of the local reader."""
    queries = OrderQueries(zone, local_reader)
    return (
        QueryRoute(
            path="/shop/orders",
            summary="Orders, the newest first: one's own; of everyone for managers",
            view=VIEW,
            query=queries.find,
            params=OrdersQuery,
            returns=list[OrderAnswer],
            counted=True,
            requires=BUY,
            oversees=MANAGE,
        ),
        QueryRoute(
            path="/shop/orders/summary",
            summary="How many orders there are, by state and reason",
            view=VIEW,
            query=queries.summary,
            params=SummaryQuery,
            returns=OrdersSummary,
            requires=MANAGE,
        ),
        *_of_one(queries),
    )
