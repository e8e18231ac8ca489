"""Reads the next deadline of an aggregate from its snapshot.

A moment is the time of a deadline as text: UTC to the microsecond, of fixed length, so that it sorts by time.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

import structlog

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.message import Command
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.aggregate.snapshot import DUE, AggregateSnapshot

#: The prefix of the ids of commands that come from a deadline.
PREFIX = "due-"
_logger = structlog.get_logger(__name__)


class ExpireDeadline(Command, frozen=True):
    """Carry out the command of the aggregate's next deadline, if its state has one that is reached."""

    TYPE: ClassVar[str] = "bookshelf.fall-due.v1"


class Deadline(NamedTuple):
    """A moment, and the command that the aggregate wants carried out then."""

    moment: str
    command: Command

    @property
    def id(self) -> str:
        """The id of its command: the same on every instance, so that the command is carried out once."""
        return PREFIX + self.moment


def moment_of(when: datetime) -> str:
    """Return a time as a moment. Raises ValueError if it has no time zone."""
    if when.tzinfo is None:
        msg = f"{when} has no time zone; a deadline needs one"
        raise ValueError(msg)
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def expire_deadline(subject: str, by: str, now: datetime) -> CommandRequest:
    """Return the request that carries out the reached deadline of a subject."""
    return CommandRequest(subject=subject, command=ExpireDeadline(), id="", at=now, hash=DUE, actor=by)


def deadline(aggregate: Aggregate[Any], snapshot: AggregateSnapshot[Any]) -> Deadline | None:
    """Return the next deadline of an aggregate; None if it has none, or if that was carried out already."""
    if aggregate.due is None or snapshot.faults is not None:
        return None
    try:
        due = aggregate.due(snapshot.state)
        if due is None:
            return None
        upcoming = Deadline(moment_of(due[0]), due[1])
    except Exception:
        _logger.exception("deadline-unreadable", aggregate=aggregate.name)
        return None
    done = upcoming.id == snapshot.fired or snapshot.recall(upcoming.id) is not None
    return None if done else upcoming
