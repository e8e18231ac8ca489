"""The catalogue of a context: decodes its events by type, and turns retired versions into present ones."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from bookshelf.cqrs.envelope import Envelope, decode_envelope
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.message import Event

Decode = Callable[[bytes], Event]
DecodedValue = tuple[Envelope, Event | None]
#: Records that stay decoded for other readers in this process, and the most bytes of each.
_SHARED, _SHARED_BYTES = 2048, 4096


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
        self._read_as: dict[str, type[Event]] = {event.TYPE: event for event in events}
        self._read_as |= {old.retired: old.becomes for old in upcasts}
        self._share = lru_cache(maxsize=_SHARED)(self.read_alone)
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

    def types_beside(self, events: Collection[type[Event]]) -> frozenset[str]:
        """Return the types of records that are read as other events than these."""
        return frozenset(kind for kind, event in self._read_as.items() if event not in events)

    def types_read_as(self, events: Collection[type[Event]]) -> frozenset[str]:
        """Return the types of records that are read as one of these events, retired ones included."""
        return frozenset(self._read_as.keys() - self.types_beside(events))

    def as_read(self, event: Event) -> Event:
        """Return the event that a reader gets for one that is appended: another one if its type is upcast."""
        if event.TYPE not in self._upcast:
            return event
        return self._decoders[event.TYPE](msgspec.json.encode(event))

    def read(self, value: bytes) -> DecodedValue:
        """Decode the value of a record; the event is None if its type is unknown. Raises `Malformed`.

        All owners and views of one process that follow the log closely share the work.
        """
        return self._share(value) if len(value) <= _SHARED_BYTES else self.read_alone(value)

    def read_alone(self, value: bytes) -> DecodedValue:
        """Decode as `read` does, for a reader that is far behind all others: nothing is shared."""
        envelope = decode_envelope(value)
        return envelope, self.decode(envelope.type, bytes(envelope.data))

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
