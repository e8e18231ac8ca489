"""A lock: a lease that one holder has at a time, and that ends by itself unless it is renewed.

A lock alone excludes no process: one that was stopped does not know that its lease has ended. So each lease
has a fencing token, the offset of its `cluster.lock-acquired.v1`, and what the lock protects must refuse a
token that is lower than one it has seen (`Aggregate.fenced`, or a condition in SQL).
"""

import re
from datetime import datetime, timedelta
from typing import ClassVar

from bookshelf.cluster.lock_events import (
    LOCK_EVENTS,
    TOPIC,
    LockAcquired,
    LockExpired,
    LockReleased,
    LockRenewed,
)
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.message import Command, Event, State


class Acquire(Command, frozen=True, kw_only=True):
    """Begin a lease of `ttl_s` seconds, if the lock is free or the present lease has ended.

    `seen` is the `until` that the sender has seen unchanged for the whole of that lease's `ttl_s`, by its own
    monotonic clock: its holder is gone, whatever the clock of the lock's owner shows.
    """

    TYPE: ClassVar[str] = "cluster.acquire.v1"
    holder: str
    lease: str
    ttl_s: float
    at: datetime
    seen: datetime | None = None


class Renew(Command, frozen=True, kw_only=True):
    """Let the lease last `ttl_s` seconds from now on."""

    TYPE: ClassVar[str] = "cluster.renew.v1"
    lease: str
    at: datetime


class ReleaseLease(Command, frozen=True, kw_only=True):
    """Give the lock back; nothing happens if the lease has ended already."""

    TYPE: ClassVar[str] = "cluster.release-lease.v1"
    lease: str


class Expire(Command, frozen=True, kw_only=True):
    """End the lease, because it was not renewed in time."""

    TYPE: ClassVar[str] = "cluster.expire.v1"
    lease: str


class Lock(State, frozen=True):
    """The present lease of a lock; without a `lease` the lock is free."""

    holder: str = ""
    lease: str = ""
    ttl_s: float = 0.0
    until: datetime | None = None

    @property
    def is_free(self) -> bool:
        """True if there is no lease, or it has ended."""
        return not self.lease


def decide(lock: Lock, command: Command) -> list[Event]:
    """Return the events of a command. Raises `Conflict`."""
    match command:
        case Acquire(lease=lease) if lease == lock.lease:
            raise Conflict("this lease has begun already; take a new id for another one", field="lease")
        case Acquire(holder=holder, lease=lease, ttl_s=ttl_s, at=at):
            acquired = LockAcquired(
                holder=holder, lease=lease, ttl_s=ttl_s, until=at + timedelta(seconds=ttl_s)
            )
            return [*_ended(lock, command), acquired]
        case Renew(lease=lease, at=at):
            if lease != lock.lease or _is_over(lock, at):
                raise Conflict("this lease has ended; acquire the lock again", field="lease")
            return [LockRenewed(lease=lease, until=at + timedelta(seconds=lock.ttl_s))]
        case ReleaseLease(lease=lease) if lease == lock.lease:
            return [LockReleased(lease=lease)]
        case Expire(lease=lease) if lease == lock.lease:
            return [LockExpired(lease=lease)]
    return []


def _ended(lock: Lock, command: Acquire) -> list[Event]:
    """Return what ends the present lease before another one begins. Raises `Conflict` if it still lasts."""
    if lock.is_free:
        return []
    if _is_over(lock, command.at) or command.seen == lock.until:
        return [LockExpired(lease=lock.lease)]
    raise Conflict(f"{lock.holder} holds this lock; try again when its lease has ended")


def _is_over(lock: Lock, at: datetime) -> bool:
    return lock.until is not None and at >= lock.until


def evolve(lock: Lock, event: Event) -> Lock:
    """Return the lock after an event."""
    match event:
        case LockAcquired(holder=holder, lease=lease, ttl_s=ttl_s, until=until):
            return Lock(holder=holder, lease=lease, ttl_s=ttl_s, until=until)
        case LockRenewed(until=until):
            return Lock(holder=lock.holder, lease=lock.lease, ttl_s=lock.ttl_s, until=until)
        case LockReleased() | LockExpired():
            return Lock()
    return lock


def due(lock: Lock) -> tuple[datetime, Command] | None:
    """Return when the lease ends, if it is not renewed before."""
    return None if lock.until is None else (lock.until, Expire(lease=lock.lease))


LOCK = Aggregate(
    name="lock",
    topic=TOPIC,
    catalogue=LOCK_EVENTS,
    initial=Lock(),
    decide=decide,
    evolve=evolve,
    due=due,
    reserved_ids=re.compile(r"(?![A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z).*", re.DOTALL),
)
