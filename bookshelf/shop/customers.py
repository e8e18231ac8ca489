"""The view of customers: the credit of each, and every change of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import BigInteger, Column, Index, MetaData, Table, bindparam, exists, insert, select, update

from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.route import Answer, Owned, QueryRoute
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.shop import events
from bookshelf.shop.events import CREDIT_EVENTS, EVENTS, TOPIC
from bookshelf.shop.money import Money
from bookshelf.shop.values import BUY, MANAGE
from bookshelf.shop.welcome import LOCAL_READER, STARTING_CREDIT, account_of, customer_named
from bookshelf.storage.paging import After, Limit, Sort, count_rows, list_page
from bookshelf.storage.statements import TEXT

TABLES = MetaData()
balances = Table(
    "customers_credit",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("currency", TEXT, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)
Index("customers_credit_by_balance", balances.c.balance, balances.c.id)
entries = Table(
    "customers_entry",
    TABLES,
    Column("customer", TEXT, primary_key=True),
    Column("record", BigInteger, primary_key=True, autoincrement=False),
    Column("id", TEXT, nullable=False),
    Column("type", TEXT, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", TEXT, nullable=False),
    Column("order", TEXT, nullable=False),
    Column("actor", TEXT, nullable=False),
    Column("why", TEXT, nullable=False),
    Column("time", TEXT, nullable=False),
)
Index("customers_entry_by_record", entries.c.customer, entries.c.record, entries.c.id)
_row: Any = bindparam("row")
_key = bindparam("row", type_=TEXT)
_OPEN = insert(balances).from_select(
    ["id", "currency", "balance", "held", "version"],
    select(
        _key,
        bindparam("code", type_=TEXT),
        bindparam("none", type_=BigInteger),
        bindparam("none", type_=BigInteger),
        bindparam("offset", type_=BigInteger),
    ).where(~exists().where(balances.c.id == _key)),
)
_MOVE = (
    update(balances)
    .where(balances.c.id == _row)
    .values(
        balance=balances.c.balance + bindparam("more"),
        held=balances.c.held + bindparam("more_held"),
        version=bindparam("offset"),
    )
)
_CONVERT = update(balances).where(balances.c.id == _row).values(currency=bindparam("code"))
_TOUCH = update(balances).where(balances.c.id == _row).values(version=bindparam("offset"))
_ENTER = insert(entries)
#: How often the amount of an event is added to the balance, and to what is reserved of it.
_MOVES: Mapping[type[Event], tuple[int, int]] = {
    events.CreditOpened: (1, 0),
    events.CreditGranted: (1, 0),
    events.CreditSet: (1, 0),
    events.CreditReserved: (0, 1),
    events.CreditReleased: (0, -1),
    events.CreditTaken: (-1, -1),
    events.CreditReturned: (1, 0),
}


def _moved(event: Any, recorded: Recorded) -> Iterable[Change]:  # noqa: ANN401 (one of them)
    """Move the amounts of a credit, and keep the change."""
    amount = event.amount.amount - (event.former if isinstance(event, events.CreditSet) else 0)
    code = event.amount.currency
    balance, held = _MOVES[type(event)]
    offset = {"row": recorded.subject, "offset": recorded.offset}
    if isinstance(event, events.CreditOpened):
        yield _OPEN, {**offset, "code": code, "none": 0}
    if isinstance(event, events.CreditSet):  # perhaps of a credit that was in another currency
        yield _CONVERT, {"row": recorded.subject, "code": code}
    yield _MOVE, {**offset, "more": balance * amount, "more_held": held * amount}
    yield (
        _ENTER,
        {
            "customer": recorded.subject,
            "record": recorded.offset,
            "id": recorded.id,
            "type": recorded.type,
            "amount": (balance or held) * amount,
            "currency": code,
            "order": getattr(event, "order", ""),
            "actor": recorded.actor,
            "why": getattr(event, "why", ""),
            "time": recorded.time.isoformat(),
        },
    )


def _refused(_event: events.CreditRefused, recorded: Recorded) -> Iterable[Change]:
    """Note the newest event of a credit, although it moves nothing: its version is that of the credit."""
    yield _TOUCH, {"row": recorded.subject, "offset": recorded.offset}


HANDLERS: Mapping[type[Any], Handler] = {
    **dict.fromkeys(CREDIT_EVENTS, _moved),
    events.CreditRefused: _refused,
}
VIEW = View(
    name="customers", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, version=2, keyed=True
)


CustomerId = Annotated[str, Meta(description="the id of the account", examples=["a-1"])]
_IDS_MOST = 200


class CreditAnswer(msgspec.Struct, frozen=True):
    """The credit of a customer: the balance, what is reserved of it for orders, and what is left."""

    customer: str
    balance: Money
    reserved: Money
    available: Money


class EntryAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A change of a credit: `amount` is what was added to the balance, reserved, or taken (below 0).

    Of a credit that was set in another currency than before, it is the difference of the two numbers.
    """

    type: Annotated[str, Meta(examples=["shop.credit-granted.v1"])]
    amount: Annotated[int, Meta(description="in minor units")]
    time: str
    actor: str
    order: str = ""
    why: str = ""
    currency: str = ""


class CreditQuery(Owned, forbid_unknown_fields=True):
    """One's own credit."""


class EntriesQuery(Owned, forbid_unknown_fields=True):
    """How many changes, and from where on."""

    limit: Limit = 24
    after: After | None = None


class CustomerQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which customer."""

    id: CustomerId


class CustomerEntriesQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which customer, how many changes, and from where on."""

    id: CustomerId
    limit: Limit = 24
    after: After | None = None


class CustomersQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which customers, how many, and from where on."""

    ids: Annotated[str, Meta(max_length=10_000, description="up to 200 ids, with commas")] | None = None
    sort: Annotated[
        Literal["id", "balance", "-balance"], Meta(description="the least credit first, or last")
    ] = "id"
    limit: Limit = 24
    after: After | None = None


def credit_answer(customer: str, currency: str, balance: int, held: int) -> CreditAnswer:
    """Return the credit of a customer as it is answered."""
    return CreditAnswer(customer, *(Money(amount, currency) for amount in (balance, held, balance - held)))


def _entries(db: Any, customer: str, limit: int, after: str | None) -> Answer:  # noqa: ANN401 (the storage's connection)
    query = select(entries).where(entries.c.customer == customer)
    page = list_page(
        db,
        query,
        entries.c.id,
        order="-record",
        sort=Sort((entries.c.record,), (int,)),
        limit=limit,
        render=lambda row: EntryAnswer(
            row.type, row.amount, row.time, row.actor, row.order, row.why, row.currency
        ),
        after=after,
    )
    return Answer(page.items, after=page.after, count=count_rows(db, query))


_SORTS = {"id": Sort((balances.c.id,), (str,)), "balance": Sort((balances.c.balance,), (int,))}


@dataclass(frozen=True)
class CustomerQueries:
    """The questions on credit, in a shop with this currency.

    `local_reader`: the account of the local reader; others know that customer by it.
    """

    currency: str
    local_reader: str = LOCAL_READER

    def _find(self, db: Any, customer: str) -> Answer:  # noqa: ANN401 (the storage's connection)
        row = db.execute(select(balances).where(balances.c.id == customer)).first()
        if row is None:
            raise NotFound("this customer has no credit yet")
        return Answer(self._shown(row), version=str(row.version))

    def _shown(self, row: Any) -> CreditAnswer:  # noqa: ANN401 (a row)
        account = account_of(row.id, self.local_reader)
        return credit_answer(account, row.currency, row.balance, row.held)

    def own(self, db: Any, asked: CreditQuery) -> Answer:  # noqa: ANN401 (as above)
        """Return the caller's credit. Raises `NotFound`.

        The local reader, whose credit nothing opens before its first use, is shown the one that it begins
        with.
        """
        try:
            return self._find(db, asked.owner or LOCAL_READER)
        except NotFound:
            if asked.owner is not None:
                raise
            return Answer(credit_answer(self.local_reader, self.currency, STARTING_CREDIT, 0), version="0")

    def one(self, db: Any, asked: CustomerQuery) -> Answer:  # noqa: ANN401 (as above)
        """Return the credit of a customer. Raises `NotFound`."""
        return self._find(db, customer_named(asked.id, self.local_reader))

    def own_entries(self, db: Any, asked: EntriesQuery) -> Answer:  # noqa: ANN401 (as above)
        """Return a page of the changes of the caller's credit, the newest first. Raises `Invalid`."""
        return _entries(db, asked.owner or LOCAL_READER, asked.limit, asked.after)

    def entries_of_one(self, db: Any, asked: CustomerEntriesQuery) -> Answer:  # noqa: ANN401 (as above)
        """Return a page of the changes of a credit, the newest first. Raises `Invalid`, `NotFound`."""
        customer = customer_named(asked.id, self.local_reader)
        self._find(db, customer)
        return _entries(db, customer, asked.limit, asked.after)

    def find(self, db: Any, asked: CustomersQuery) -> Answer:  # noqa: ANN401 (as above)
        """Return a page of the credits of customers. Raises `Invalid`."""
        query = select(balances)
        if asked.ids is not None:
            ids = [customer_named(name, self.local_reader) for name in asked.ids.split(",")]
            if len(ids) > _IDS_MOST:
                raise Invalid(f"has up to {_IDS_MOST} ids", field="ids")
            query = query.where(balances.c.id.in_(ids))
        page = list_page(
            db,
            query,
            balances.c.id,
            order=asked.sort,
            sort=_SORTS[asked.sort.removeprefix("-")],
            limit=asked.limit,
            render=self._shown,
            after=asked.after,
        )
        return Answer(page.items, after=page.after, count=count_rows(db, query))


def customer_routes(currency: str, local_reader: str = LOCAL_READER) -> tuple[QueryRoute, ...]:
    """Return the routes of the view, for a shop with this currency and account of the local reader."""
    queries = CustomerQueries(currency, local_reader)
    return (
        QueryRoute(
            path="/shop/customers/me/credit",
            summary="One's credit",
            view=VIEW,
            query=queries.own,
            params=CreditQuery,
            returns=CreditAnswer,
            requires=BUY,
        ),
        QueryRoute(
            path="/shop/customers/me/entries",
            summary="The changes of one's credit, the newest first",
            view=VIEW,
            query=queries.own_entries,
            params=EntriesQuery,
            returns=list[EntryAnswer],
            counted=True,
            requires=BUY,
        ),
        *_of_managers(queries),
    )


def _of_managers(queries: CustomerQueries) -> tuple[QueryRoute, ...]:
    return (
        QueryRoute(
            path="/shop/customers",
            summary="The credits of customers",
            view=VIEW,
            query=queries.find,
            params=CustomersQuery,
            returns=list[CreditAnswer],
            counted=True,
            requires=MANAGE,
        ),
        QueryRoute(
            path="/shop/customers/{id}/entries",
            summary="The changes of the credit of a customer, the newest first",
            view=VIEW,
            query=queries.entries_of_one,
            params=CustomerEntriesQuery,
            returns=list[EntryAnswer],
            counted=True,
            requires=MANAGE,
        ),
        QueryRoute(
            path="/shop/customers/{id}/credit",
            summary="The credit of a customer",
            view=VIEW,
            query=queries.one,
            params=CustomerQuery,
            returns=CreditAnswer,
            requires=MANAGE,
        ),
    )
