"""Business rules as specs: given events, when a command, then events; or a refusal. On an event, commands."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from support.fixed_infrastructure import NOW

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.process import Process, RefusedCommand, Send
from bookshelf.cqrs.view import Recorded


def given(aggregate: Aggregate[Any], *events: Event, parent: Sequence[Event] | None = None) -> "Given":
    """What has happened, to the parent of a child too."""
    return Given(aggregate, events, parent)


class Given:
    """What has happened, waiting for a command."""

    def __init__(
        self, aggregate: Aggregate[Any], events: Sequence[Event], parent: Sequence[Event] | None
    ) -> None:
        self._aggregate = aggregate
        self._events = tuple(aggregate.catalogue.as_read(event) for event in events)
        self._parent = () if aggregate.parent is None else (aggregate.parent.fold(*(parent or ())),)

    def when(self, command: Command) -> "When":
        """What is asked."""
        return When(self._aggregate, self._events, command, self._parent)


class When:
    """A command, waiting for what comes of it."""

    def __init__(
        self, aggregate: Aggregate[Any], events: Sequence[Event], command: Command, parent: tuple[Any, ...]
    ) -> None:
        self._aggregate = aggregate
        self._events = events
        self._command = command
        self._parent = parent

    def _decided(self) -> list[Event]:
        events = self._aggregate.decide(self._aggregate.fold(self._events), self._command, *self._parent)
        for event in events:
            self._aggregate.catalogue.check(event, self._aggregate.topic)
        return events

    def then(self, *events: Event) -> None:
        """Exactly these events are decided, maybe none."""
        assert self._decided() == list(events)

    def refused(self, kind: type[Refused], match: str | None = None, field: str | None = None) -> None:
        """The command is refused for this reason, with this wrong field."""
        with pytest.raises(kind, match=match) as refusal:
            self._decided()
        assert type(refusal.value) is kind
        assert refusal.value.field == field


def on_event(process: Process, event: Event, *, subject: str, **recorded: Any) -> "Arrows":  # noqa: ANN401
    """What has happened to a subject, as a process reads it; `recorded` are more fields of its record."""
    return Arrows(process.commands(_recorded(event, subject, recorded)))


async def on_event_called(
    connector: Connector,
    event: Event,
    ports: HandlerPorts,
    *,
    subject: str,
    **recorded: Any,  # noqa: ANN401 (as above)
) -> "Arrows":
    """What has happened to a subject, as a connector calls its provider for it."""
    return Arrows(await connector.call(_recorded(event, subject, recorded), ports))


def _recorded(event: Event, subject: str, more: Mapping[str, Any]) -> Recorded:
    fields: dict[str, Any] = {
        "id": "event-1",
        "partition": 0,
        "offset": 0,
        "time": NOW,
        "actor": "reader",
        "command": "",
        "correlation": "",
        "undoes": "",
        "data": b"{}",
        **more,
    }
    return Recorded(event=event, subject=subject, type=event.TYPE, **fields)


def on_refusal(process: Process, refused: RefusedCommand) -> "Arrows":
    """A command of the process that its aggregate refused."""
    return Arrows(process.answer(refused))


class Arrows:
    """The commands of one record, waiting to be compared."""

    def __init__(self, sent: Sequence[tuple[str, Send]]) -> None:
        self._sent = [send for _, send in sent]

    def sends(self, *sends: Send) -> None:
        """Exactly these commands are sent, maybe none."""
        assert self._sent == list(sends)
