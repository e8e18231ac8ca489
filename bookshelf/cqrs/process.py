"""Declares a process (saga): a table of arrows from events to the commands that they lead to.

A process keeps no state: what must be remembered is the state of an aggregate.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.view import Recorded


@dataclass(frozen=True, slots=True)
class Send:
    """A command for one instance of an aggregate: the one whose id is `subject`.

    Raises TypeError if the aggregate does not take the command by topic.
    """

    to: Aggregate[Any]
    subject: str
    command: Command

    def __post_init__(self) -> None:
        if type(self.command) not in self.to.takes:
            msg = (
                f"{self.to.name} does not take {type(self.command).__name__} by topic: add it to its `takes`"
            )
            raise TypeError(msg)


Arrow = Callable[[Any, Recorded], Iterable[Send]]


@dataclass(frozen=True, slots=True)
class On:
    """Some rows of the table: after each of these events, the commands of each of these arrows."""

    events: tuple[type[Event], ...]
    then: tuple[Arrow, ...]


def on(*events: type[Event], then: Sequence[Arrow]) -> On:
    """Return the rows for these events. An arrow is a pure function of the event and what its record has."""
    return On(events, tuple(then))


class RefusedCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command of a process that its aggregate refused: it has changed nothing.

    `to` is the aggregate's name, `subject` the instance, `type` and `id` the command's. `kind` names the
    problem (docs/problems.md), `detail` has the reason. `correlation` is the subject of the event that led to
    the command, `time` when it was refused.
    """

    to: str
    subject: str
    type: str
    id: str
    kind: str
    detail: str
    field: str | None = None
    correlation: str
    actor: str
    time: datetime


class SentTwice(Exception):
    """One event leads to two commands for one instance: it would take the second for a repetition."""


_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSender:
    """Acts on the events of a topic with commands to aggregates: a process, or a connector.

    It reads its topic from the beginning, so one that is added later handles the whole past. Raises
    ValueError for a name that is not of small letters, digits and hyphens, and for an event that the
    catalogue lacks.
    """

    name: str
    topic: str
    catalogue: Catalogue

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            msg = f"{self.name!r} is no name of a process; it has small letters, digits and hyphens"
            raise ValueError(msg)
        for event in sorted(self.events - set(self.catalogue.events), key=lambda kind: kind.__name__):
            msg = f"{self.name}: {event.__name__} is not in the catalogue of topic {self.topic}"
            raise ValueError(msg)

    @property
    def events(self) -> frozenset[type[Event]]:
        """The events that it acts on."""
        raise NotImplementedError

    @property
    def answers(self) -> str:
        """The topic for the refusals of its commands; it has as many partitions as `topic`."""
        return f"{self.name}.answers"

    @property
    def dead_letters(self) -> str:
        """The topic for its dead letters; it has as many partitions as `topic`."""
        return f"{self.name}.dead-letters"

    def answer(self, _refusal: RefusedCommand) -> list[tuple[str, Send]]:
        """Return the commands that a refusal leads to."""
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Process(CommandSender):
    """One process: a table of arrows.

    An arrow that is added later handles later events only; a process with a new name applies it to the past.
    `refused` is called with each command that its aggregate refused.
    """

    arrows: tuple[On, ...]
    refused: Callable[[RefusedCommand], Iterable[Send]] | None = None

    @property
    def events(self) -> frozenset[type[Event]]:
        """The events that have arrows."""
        return frozenset(event for row in self.arrows for event in row.events)

    def commands(self, recorded: Recorded) -> list[tuple[str, Send]]:
        """Return the commands that an event leads to, each with the name of its arrow.

        Raises `SentTwice`, or whatever an arrow raises.
        """
        arrows = [arrow for row in self.arrows if type(recorded.event) in row.events for arrow in row.then]
        return once_each(
            (arrow.__name__, send) for arrow in arrows for send in arrow(recorded.event, recorded)
        )

    def answer(self, refusal: RefusedCommand) -> list[tuple[str, Send]]:
        """Return the commands that a refusal leads to. Raises `SentTwice`, or whatever `refused` raises."""
        if self.refused is None:
            return []
        name = self.refused.__name__
        return once_each((name, send) for send in self.refused(refusal))


def once_each(sends: Iterable[tuple[str, Send]]) -> list[tuple[str, Send]]:
    """Return the commands of one record, with the names of their arrows. Raises `SentTwice`."""
    listed = list(sends)
    instances = set()
    for name, send in listed:
        instance = (send.to.name, send.subject)
        if instance in instances:
            msg = f"{name} sends a second command to {send.to.name} {send.subject} after one record"
            raise SentTwice(msg)
        instances.add(instance)
    return listed
