"""The view of people: accounts by claim, sessions by account, groups, and what was revoked."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    and_,
    bindparam,
    exists,
    false,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from bookshelf.accounts import events
from bookshelf.accounts.events import EVENTS, TOPIC
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.storage.statements import TEXT

TABLES = MetaData()
people = Table(
    "people_account",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("open", Boolean, nullable=False),
    Column("handle_claim", TEXT, nullable=False),
    Column("email_claim", TEXT, nullable=False),
)
Index("people_by_handle", people.c.handle_claim)
Index("people_by_email", people.c.email_claim)
sessions = Table(
    "people_session",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("account", TEXT, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("opened", TEXT, nullable=False),
    Column("used", TEXT, nullable=False),
    Column("network", TEXT, nullable=False),
    Column("program", TEXT, nullable=False),
)
Index("people_session_of", sessions.c.account, sessions.c.used)
groups = Table(
    "people_group",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("defined", Boolean, nullable=False),
)
#: What was revoked last: a session (epoch 0), or the sessions and tokens of an account below an epoch.
revocations = Table(
    "people_revocation",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("log_partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    Column("at", TEXT, nullable=False),
)
Index("people_revocation_at", revocations.c.at)
Index("people_revocation_place", revocations.c.log_partition, revocations.c.log_offset)
#: The epoch below which all tokens of a forgotten account are.
_NO_EPOCH = 2**31 - 1
_row: Any = bindparam("row")
_ADD_ACCOUNT = insert(people)
_OPEN = update(people).where(people.c.id == _row).values(open=bindparam("now_open"))
_MOVE = update(people).where(people.c.id == _row).values(email_claim=bindparam("claim"))
_CLEAR = update(people).where(people.c.id == _row).values(open=False, handle_claim="", email_claim="")
_ADD_SESSION = insert(sessions)
_USE = update(sessions).where(sessions.c.id == _row).values(used=bindparam("moment"))
_END = update(sessions).where(sessions.c.id == _row).values(open=False, network="", program="")
_key, _name = bindparam("row", type_=TEXT), bindparam("name", type_=TEXT)
_ADD_GROUP = insert(groups).from_select(
    ["id", "name", "defined"],
    select(_key, _name, false()).where(~exists().where(groups.c.id == _key)),
)
_ADD_REVOCATION = insert(revocations).from_select(
    ["id", "epoch", "log_partition", "log_offset", "at"],
    select(_key, literal(0), literal(0), literal(0), literal("")).where(
        ~exists().where(revocations.c.id == _key)
    ),
)
_REVOKE = (
    update(revocations)
    .where(revocations.c.id == _row)
    .values(
        epoch=bindparam("now_epoch"),
        log_partition=bindparam("partition"),
        log_offset=bindparam("offset"),
        at=bindparam("moment"),
    )
)
_DEFINE = update(groups).where(groups.c.id == _row).values(defined=bindparam("now_defined"))


def _requested(event: events.AccountRequested, recorded: Recorded) -> Iterable[Change]:
    claims = {"handle_claim": event.handle_claim, "email_claim": event.email_claim}
    yield _ADD_ACCOUNT, {"id": recorded.subject, "open": False, **claims}


def _account_opened(_event: Event, recorded: Recorded) -> Iterable[Change]:
    yield _OPEN, {"row": recorded.subject, "now_open": True}


def _email_changed(event: events.EmailChanged, recorded: Recorded) -> Iterable[Change]:
    yield _MOVE, {"row": recorded.subject, "claim": event.claim}


def _account_over(event: Event, recorded: Recorded) -> Iterable[Change]:
    yield _CLEAR, {"row": recorded.subject}
    if isinstance(event, events.AccountForgotten):
        yield from _revoked(recorded, _NO_EPOCH)


def _sessions_ended(event: events.SessionsEnded, recorded: Recorded) -> Iterable[Change]:
    yield from _revoked(recorded, event.epoch)


def _session_opened(event: events.SessionOpened, recorded: Recorded) -> Iterable[Change]:
    row = {"id": recorded.subject, "account": event.account, "epoch": event.epoch, "open": True}
    times = {"opened": event.at.isoformat(), "used": event.at.isoformat()}
    yield _ADD_SESSION, {**row, **times, "network": event.network, "program": event.program}


def _session_used(event: events.SessionRotated | events.SessionUsed, recorded: Recorded) -> Iterable[Change]:
    yield _USE, {"row": recorded.subject, "moment": event.at.isoformat()}


def _session_ended(_event: Event, recorded: Recorded) -> Iterable[Change]:
    yield _END, {"row": recorded.subject}
    yield from _revoked(recorded, 0)


def _group(event: Event, recorded: Recorded) -> Iterable[Change]:
    yield _ADD_GROUP, {"row": recorded.subject, "name": recorded.subject.removeprefix("g-")}
    yield _DEFINE, {"row": recorded.subject, "now_defined": isinstance(event, events.GroupDefined)}


def _revoked(recorded: Recorded, epoch: int) -> Iterable[Change]:
    place = {"partition": recorded.partition, "offset": recorded.offset}
    moment = recorded.time.isoformat()
    yield _ADD_REVOCATION, {"row": recorded.subject}
    yield _REVOKE, {"row": recorded.subject, "now_epoch": epoch, "moment": moment, **place}


HANDLERS: Mapping[type[Any], Handler] = {
    events.AccountRequested: _requested,
    events.AccountOpened: _account_opened,
    events.AccountRejected: _account_over,
    events.AccountForgotten: _account_over,
    events.EmailChanged: _email_changed,
    events.SessionsEnded: _sessions_ended,
    events.SessionOpened: _session_opened,
    events.SessionRotated: _session_used,
    events.SessionUsed: _session_used,
    events.SessionEnded: _session_ended,
    events.GroupDefined: _group,
    events.GroupRemoved: _group,
}
VIEW = View(name="people", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True)


class SessionRow(NamedTuple):
    """An open session; network and program are sealed."""

    id: str
    opened: str
    used: str
    network: str
    program: str


class Revocation(NamedTuple):
    """A session that is over (epoch 0), or an account whose tokens below an epoch are invalid."""

    subject: str
    epoch: int
    partition: int
    offset: int


def find_people(
    db: Any,  # noqa: ANN401 (the storage's connection)
    *,
    claim: str | None,
    ids: Sequence[str] | None,
    after: str,
    limit: int,
) -> list[str]:
    """Return the ids of open accounts in order, one more than `limit` if there are more."""
    query = select(people.c.id).where(people.c.open == true(), people.c.id > after)
    if claim is not None:
        query = query.where(or_(people.c.handle_claim == claim, people.c.email_claim == claim))
    if ids is not None:
        query = query.where(people.c.id.in_(ids))
    return [str(row.id) for row in db.execute(query.order_by(people.c.id).limit(limit + 1))]


def forgotten_people(db: Any) -> list[str]:  # noqa: ANN401 (as above)
    """Return the ids of all forgotten and rejected accounts."""
    query = select(people.c.id).where(people.c.open == false(), people.c.handle_claim == "")
    return [str(row.id) for row in db.execute(query)]


def sessions_of(db: Any, account: str, epoch: int) -> list[SessionRow]:  # noqa: ANN401 (as above)
    """Return the open sessions of an account from an epoch on, the last used one first."""
    columns = sessions.c
    query = select(columns.id, columns.opened, columns.used, columns.network, columns.program)
    query = query.where(columns.account == account, columns.open == true(), columns.epoch >= epoch)
    return [SessionRow(*row) for row in db.execute(query.order_by(columns.used.desc(), columns.id))]


def group_names(db: Any) -> list[str]:  # noqa: ANN401 (as above)
    """Return the names of the defined groups, in order."""
    query = select(groups.c.name).where(groups.c.defined == true()).order_by(groups.c.name)
    return [str(row.name) for row in db.execute(query)]


def revoked_since(
    db: Any,  # noqa: ANN401 (as above)
    moment: datetime,
    places: Mapping[int, int],
) -> list[Revocation]:
    """Return what was revoked after these offsets; in a partition without one, since the moment.

    The query reads the rows after each offset alone: it is made twice a second for each gateway.
    """
    columns = revocations.c
    after = [
        and_(columns.log_partition == partition, columns.log_offset > offset)
        for partition, offset in places.items()
    ]
    others = and_(columns.at >= moment.isoformat(), columns.log_partition.not_in(list(places)))
    query = select(columns.id, columns.epoch, columns.log_partition, columns.log_offset)
    parts = [query.where(each) for each in (*after, others)]
    return [Revocation(*row) for part in parts for row in db.execute(part)]
