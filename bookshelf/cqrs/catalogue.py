"""The catalogue of a context: decodes its events by type, and turns retired versions into present ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.message import Event

Decode = Callable[[bytes], Event]


@dataclass(frozen=True, slots=True)
class Upcast:
    """How a retired event type is read: `lift` turns its data into the data of the event `becomes`."""

    retired: str
    becomes: type[Event]
    lift: Callable[[dict[str, Any]], dict[str, Any]]


class UnknownEvent(Exception):
    """An aggregate decided an event that its catalogue lacks. This is a defect; nothing is appended."""


class Catalogue:
    """The event types of one context. Records of other types are skipped by its readers.

    An event that is still appended may have an upcast too: readers then get the event that it becomes. Raises
    ValueError if two events or two upcasts have one type.
    """

    def __init__(self, *events: type[Event], upcasts: tuple[Upcast, ...] = ()) -> None:
        _check_types([event.TYPE for event in events])
        _check_types([old.retired for old in upcasts])
        self.events = events
        self.upcasts = upcasts
        self._decoders: dict[str, Decode] = {event.TYPE: _reader(event) for event in events}
        self._upcast = frozenset(old.retired for old in upcasts)
        self._decoders.update({old.retired: _lifter(old) for old in upcasts})

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self.events)

    def check(self, event: Event, topic: str) -> None:
        """Return if the event may be appended to a topic. Raises `UnknownEvent`: readers would skip it."""
        if type(event) not in self.events:
            kind = type(event)
            msg = (
                f"{kind.__name__} ({kind.TYPE}) is not in the catalogue of topic {topic}: "
                f"add it to the Catalogue in {self.events[0].__module__ if self.events else 'its context'}"
            )
            raise UnknownEvent(msg)

    def as_read(self, event: Event) -> Event:
        """Return the event that a reader gets for one that is appended: another one if its type is upcast."""
        if event.TYPE not in self._upcast:
            return event
        return self._decoders[event.TYPE](msgspec.json.encode(event))

    def decode(self, event_type: str, data: bytes) -> Event | None:
        """Return the event, or None for an unknown type. Raises `Malformed`."""
        decoder = self._decoders.get(event_type)
        if decoder is None:
            return None
        try:
            return decoder(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError) as fault:
            msg = f"{event_type}: {fault}"
            raise Malformed(msg) from fault


def _check_types(types: list[str]) -> None:
    twice = sorted({kind for kind in types if types.count(kind) > 1})
    if twice:
        msg = f"two events of one catalogue have the type {twice[0]}; each type is one class"
        raise ValueError(msg)


def _reader(event: type[Event]) -> Decode:
    return msgspec.json.Decoder(event).decode


def _lifter(old: Upcast) -> Decode:
    def lift(data: bytes) -> Event:
        return msgspec.convert(old.lift(msgspec.json.decode(data, type=dict)), old.becomes)

    return lift
