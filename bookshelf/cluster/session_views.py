"""The view of sessions: counts, sizes and ages, never what is in them; and the routes of their operator."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from bookshelf.cluster.micros import micros, moment_of
from bookshelf.cluster.session import CLIENT_SESSION, CloseClientSession
from bookshelf.cluster.session_events import (
    EVENTS,
    TOPIC,
    ClientSessionChanged,
    ClientSessionClosed,
    ClientSessionCopied,
    ClientSessionOpened,
)
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.route import Answer, CommandRoute, QueryRoute
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.storage.statements import TEXT

READ, COMMIT = ("cluster:read",), ("cluster:commit",)
#: How long a closed session is listed.
CLOSED_FOR = timedelta(hours=1)

TABLES = MetaData()
#: Times are microseconds since 1970; `closed` is 0 for an open session.
sessions = Table(
    "cluster_session",
    TABLES,
    Column("key", TEXT, primary_key=True),
    Column("domain", TEXT, nullable=False),
    Column("service", TEXT, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("touched", BigInteger, nullable=False),
    Column("closed", BigInteger, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("keys", Integer, nullable=False),
)
Index("cluster_session_touched", sessions.c.touched)
# unique, so that it is there while the rows are made: each end of a session deletes old rows by it
Index("cluster_session_closed", sessions.c.closed, sessions.c.key, unique=True)
_row = bindparam("row", type_=TEXT)
_NEW = insert(sessions).from_select(
    [column.name for column in sessions.columns],
    select(
        _row,
        bindparam("of_domain", type_=TEXT),
        bindparam("of_service", type_=TEXT),
        bindparam("since", type_=BigInteger),
        bindparam("used", type_=BigInteger),
        literal(0, BigInteger),
        literal("", TEXT),
        bindparam("size", type_=Integer),
        bindparam("number", type_=Integer),
    ).where(~exists().where(sessions.c.key == _row)),
)
_CHANGE = (
    update(sessions)
    .where(sessions.c.key == _row)
    .values(touched=bindparam("used"), bytes=bindparam("size"), keys=bindparam("number"))
)
_CLOSE = (
    update(sessions)
    .where(sessions.c.key == _row)
    .values(closed=bindparam("ended"), reason=bindparam("why"), bytes=0, keys=0)
)
_FORGET = delete(sessions).where(and_(sessions.c.closed > 0, sessions.c.closed < bindparam("before")))


def _opened(event: ClientSessionOpened, recorded: Recorded) -> Iterable[Change]:
    at = micros(event.at)
    yield _NEW, _new_row(recorded.subject, event.domain, event.service, at, at, 0, 0)


def _new_row(key: str, *fields: Any) -> dict[str, Any]:  # noqa: ANN401 (values of the columns)
    return dict(
        zip(
            ("row", "of_domain", "of_service", "since", "used", "size", "number"), (key, *fields), strict=True
        )
    )


def _changed(event: ClientSessionChanged, recorded: Recorded) -> Iterable[Change]:
    values = {"row": recorded.subject, "used": micros(event.at), "size": event.bytes, "number": event.keys}
    yield _CHANGE, values


def _copied(event: ClientSessionCopied, recorded: Recorded) -> Iterable[Change]:
    # what came before the copy may be gone from the log
    fields = (micros(event.opened), micros(event.touched), event.bytes, len(event.set))
    yield _NEW, _new_row(recorded.subject, event.domain, event.service, *fields)


def _closed(event: ClientSessionClosed, recorded: Recorded) -> Iterable[Change]:
    yield _CLOSE, {"row": recorded.subject, "ended": micros(event.at), "why": event.reason}
    yield _FORGET, {"before": micros(event.at - CLOSED_FOR)}


HANDLERS: Mapping[type[Event], Handler] = {
    ClientSessionOpened: _opened,
    ClientSessionChanged: _changed,
    ClientSessionCopied: _copied,
    ClientSessionClosed: _closed,
}
VIEW = View(name="sessions", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS)

SessionKey = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_-]{22}$(?!\n)",
        description="the key of a session: 22 characters of the hash of its id",
        examples=["Zk3yO0mYw8Qb7c1dXv2L_g"],
        extra={"hint": "is 22 letters, digits, - and _"},
    ),
]
Name = Annotated[
    str, Meta(max_length=63, description="the name of a service; empty for all", examples=["counter"])
]


class ListedSession(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session of a client: when it was opened and used, and how much is in it; `closed` has the reason."""

    key: SessionKey
    domain: str
    service: str
    opened: datetime
    touched: datetime
    bytes: int
    keys: int
    ended: datetime | None = None
    closed: str = ""


class ListedSessions(msgspec.Struct, frozen=True):
    """A page of sessions, and totals: open ones, those closed in the last hour, bytes of the open ones."""

    open: int
    closed: int
    bytes: int
    sessions: list[ListedSession]


class SessionsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which sessions."""

    service: Name = ""
    limit: Annotated[int, Meta(ge=1, le=1000, description="how many, at the most")] = 100
    after: Annotated[str, Meta(max_length=200, description="the key of the last one of the page before")] = ""


def list_sessions(db: Any, asked: SessionsQuery) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Answer a page of the sessions, ordered by key, with the numbers of all."""
    of_service = sessions.c.service == asked.service if asked.service else sessions.c.key != ""
    counted = select(sessions.c.closed > 0, func.count(), func.sum(sessions.c.bytes))
    totals = {
        bool(closed): (int(number), int(size))
        for closed, number, size in db.execute(counted.where(of_service).group_by(sessions.c.closed > 0))
    }
    query = select(sessions).where(of_service, sessions.c.key > asked.after)
    rows = db.execute(query.order_by(sessions.c.key).limit(asked.limit + 1)).all()
    page = [_listed(row) for row in rows[: asked.limit]]
    (opened, size), (closed, _) = totals.get(False, (0, 0)), totals.get(True, (0, 0))
    after = page[-1].key if len(rows) > asked.limit else None
    return Answer(ListedSessions(opened, closed, size, page), after=after)


def _listed(row: Any) -> ListedSession:  # noqa: ANN401 (a row)
    return ListedSession(
        row.key,
        row.domain,
        row.service,
        moment_of(row.opened),
        moment_of(row.touched),
        row.bytes,
        row.keys,
        moment_of(row.closed) if row.closed else None,
        row.reason,
    )


ROUTES = (
    QueryRoute(
        path="/cluster/sessions",
        summary="The sessions of clients: numbers, sizes and ages, without their contents",
        view=VIEW,
        query=list_sessions,
        params=SessionsQuery,
        returns=ListedSessions,
        requires=READ,
    ),
    CommandRoute(
        method="DELETE",
        path="/cluster/sessions/{id}",
        summary="Close the session of a client",
        aggregate=CLIENT_SESSION,
        body_required=False,
        command=lambda _body, context: CloseClientSession(reason="operator", at=context.at),
        requires=COMMIT,
    ),
)
