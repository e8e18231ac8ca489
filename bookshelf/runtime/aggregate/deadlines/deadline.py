"""Deadlines as they are read from what is held: which one is next for an aggregate, if any.

A moment is a deadline as text, UTC to the microsecond, always as long: it sorts as time does.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

import structlog

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.message import Command
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.aggregate.snapshot import DUE, AggregateSnapshot

#: How the ids of commands begin that a deadline has given.
PREFIX = "due-"
_logger = structlog.get_logger(__name__)


class ExpireDeadline(Command, frozen=True):
    """Do what has fallen due by now; which command that is, and whether, the aggregate's state says."""

    TYPE: ClassVar[str] = "bookshelf.fall-due.v1"


class Deadline(NamedTuple):
    """When, and what then."""

    moment: str
    command: Command

    @property
    def id(self) -> str:
        """The id of its command: the same on every instance, so that it is carried out once."""
        return PREFIX + self.moment


def moment_of(when: datetime) -> str:
    """Write a time down. Raises ValueError if it has no zone."""
    if when.tzinfo is None:
        msg = f"{when} has no time zone, so it is not known when that is"
        raise ValueError(msg)
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def expire_deadline(subject: str, by: str, now: datetime) -> CommandRequest:
    """Return the command that does what has fallen due."""
    return CommandRequest(subject=subject, command=ExpireDeadline(), id="", at=now, hash=DUE, actor=by)


def deadline(aggregate: Aggregate[Any], snapshot: AggregateSnapshot[Any]) -> Deadline | None:
    """Return what is next for an aggregate; None if there is nothing, or if it was carried out already."""
    if aggregate.due is None or snapshot.faults is not None:
        return None
    try:
        due = aggregate.due(snapshot.state)
        if due is None:
            return None
        found = Deadline(moment_of(due[0]), due[1])
    except Exception:
        _logger.exception("deadline-unreadable", aggregate=aggregate.name)
        return None
    done = found.id == snapshot.fired or snapshot.recall(found.id) is not None
    return None if done else found
