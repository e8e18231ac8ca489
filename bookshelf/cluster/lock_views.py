"""The view of locks: their holders and fencing tokens; and the routes of locks.

The commands are for our own processes (bookshelf/runtime/election), which no gateway routes to.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import BigInteger, Column, Float, MetaData, Table, bindparam, delete, insert, select, update

from bookshelf.cluster.lock import LOCK, Acquire, Lock, ReleaseLease, Renew
from bookshelf.cluster.lock_events import (
    LOCK_EVENTS,
    TOPIC,
    LockAcquired,
    LockExpired,
    LockReleased,
    LockRenewed,
)
from bookshelf.cluster.micros import micros, moment_of
from bookshelf.cqrs.handler import INTERNAL, RequestContext
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.route import Answer, CommandRoute, Empty, EventsRoute, QueryRoute, Route, Span
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.storage.statements import TEXT

READ = ("cluster:read",)

TABLES = MetaData()
#: The locks that are held. Times are microseconds since 1970.
locks = Table(
    "cluster_lock",
    TABLES,
    Column("name", TEXT, primary_key=True),
    Column("holder", TEXT, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("ttl_s", Float, nullable=False),
)
_lock = bindparam("lock", type_=TEXT)
_INSERT = insert(locks)
_RENEW = update(locks).where(locks.c.name == _lock).values(until=bindparam("end"))
_END = delete(locks).where(locks.c.name == _lock)


def _acquired(event: LockAcquired, recorded: Recorded) -> Iterable[Change]:
    yield _END, {"lock": recorded.subject}
    row = {"name": recorded.subject, "holder": event.holder, "token": recorded.offset, "ttl_s": event.ttl_s}
    yield _INSERT, {**row, "since": micros(recorded.time), "until": micros(event.until)}


def _renewed(event: LockRenewed, recorded: Recorded) -> Iterable[Change]:
    yield _RENEW, {"lock": recorded.subject, "end": micros(event.until)}


def _over(_event: LockReleased | LockExpired, recorded: Recorded) -> Iterable[Change]:
    yield _END, {"lock": recorded.subject}


HANDLERS: Mapping[type[Event], Handler] = {
    LockAcquired: _acquired,
    LockRenewed: _renewed,
    LockReleased: _over,
    LockExpired: _over,
}
VIEW = View(name="locks", topic=TOPIC, catalogue=LOCK_EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True)

Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$(?!\n)")]
Seconds = Annotated[float, Meta(ge=0.1, le=86_400, description="for which the lease lasts unless renewed")]


class ListedLock(msgspec.Struct, frozen=True):
    """A lock that is held: its holder and fencing token, since when, until when unless it is renewed."""

    name: Annotated[str, Meta(examples=["blue.primary.counters"])]
    holder: Annotated[str, Meta(examples=["node1"])]
    token: Annotated[int, Meta(description="the offset of the record that began the lease", examples=[1042])]
    since: datetime
    until: datetime
    ttl_s: Annotated[float, Meta(description="seconds for which each renewal lasts", examples=[3.0])]


def held_locks(db: Any, _asked: Empty) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return all locks that are held, by name."""
    rows = db.execute(select(locks).order_by(locks.c.name))
    return Answer([_held(row) for row in rows])


def _held(row: Any) -> ListedLock:  # noqa: ANN401 (a row)
    since, until = moment_of(row.since), moment_of(row.until)
    return ListedLock(row.name, row.holder, int(row.token), since, until, float(row.ttl_s))


def now_held(db: Any, asked: Empty, _span: Span) -> Answer:  # noqa: ANN401 (as above)
    """Return all locks that are held, for a stream."""
    return held_locks(db, asked)


class AcquireBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The holder, and the lease that it begins. `seen`: see `Acquire`.

    The Idempotency-Key is the id of the lease.
    """

    holder: Text
    lease: Text
    ttl_s: Seconds
    seen: datetime | None = None


class LeaseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lease."""

    lease: Text


class LeaseAnswer(msgspec.Struct, frozen=True):
    """The lock after a command. The position of the answer to `acquire` has the fencing token: its offset."""

    name: str
    holder: str
    until: datetime | None


def _acquire(body: AcquireBody, context: RequestContext) -> Acquire:
    return Acquire(holder=body.holder, lease=body.lease, ttl_s=body.ttl_s, at=context.at, seen=body.seen)


def _renew(body: LeaseBody, context: RequestContext) -> Renew:
    return Renew(lease=body.lease, at=context.at)


def _release(body: LeaseBody, _context: RequestContext) -> ReleaseLease:
    return ReleaseLease(lease=body.lease)


def _answer(name: str, lock: Lock) -> LeaseAnswer:
    return LeaseAnswer(name, lock.holder, lock.until)


def _command(step: str, summary: str, body: type[msgspec.Struct], command: Any) -> CommandRoute:  # noqa: ANN401 (makes one of the commands)
    return CommandRoute(
        method="POST",
        path=f"/cluster/locks/{{id}}/{step}",
        summary=summary,
        aggregate=LOCK,
        body=body,
        command=command,
        answer=_answer,
        returns=LeaseAnswer,
        status=200,
        requires=INTERNAL,
    )


ROUTES: tuple[Route, ...] = (
    QueryRoute(
        path="/cluster/locks",
        summary="The locks that are held, with their holders and fencing tokens",
        view=VIEW,
        query=held_locks,
        returns=list[ListedLock],
        requires=READ,
    ),
    EventsRoute(
        path="/cluster/locks/events",
        summary="The locks that are held, whenever they change",
        view=VIEW,
        query=now_held,
        returns=list[ListedLock],
        requires=INTERNAL,
    ),
    _command("acquire", "Begin a lease", AcquireBody, _acquire),
    _command("renew", "Let a lease last longer", LeaseBody, _renew),
    _command("release", "Give a lock back", LeaseBody, _release),
)
