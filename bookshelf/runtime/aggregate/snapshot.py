"""What an owner holds of one aggregate: its state, its version, and what it answered lately."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from sys import getsizeof
from typing import Any, Generic, TypeVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import ANSWERED, Envelope, decode_envelope, dropped
from bookshelf.cqrs.message import Event
from bookshelf.log.port import Record
from bookshelf.runtime.aggregate.unreadable import UnreadableOffsets, add_offset, remove_offset

S = TypeVar("S")

#: Completed commands that stay with the state; older ones are in the store (`States.spill`).
REMEMBERED = 64
#: The version of an aggregate whose newest event is not in the log yet: no one can have seen it.
UNSETTLED = -2
#: The version of an aggregate that has no event.
NONE = -1
#: Stands in an envelope in place of the content's hash when the command came from a deadline.
DUE = "due"


class CompletedCommand(msgspec.Struct, frozen=True, array_like=True):
    """A completed command: its id, its content's hash, the version that it left, its last record's offset.

    `at_ms` is the time of its events, in milliseconds since 1970. The state that it left is not remembered:
    it is folded again from the log if it is asked for (FirstAnswers).
    """

    command: str
    hash: str
    version: int
    offset: int
    at_ms: int = 0


class AggregateSnapshot(msgspec.Struct, Generic[S], frozen=True, array_like=True):
    """One aggregate as far as the log was read. `version` is the offset of its newest event.

    `faults` are the offsets of its records that could not be read: with one it takes no command.
    `fired` is the id of the last command that a deadline gave. `first` is the offset of its first event, and
    `creator` the command that gave it, which is never forgotten. `spilled`: more commands are in the store.
    """

    state: S
    version: int = NONE
    done: tuple[CompletedCommand, ...] = ()
    faults: UnreadableOffsets | None = None
    fired: str = ""
    first: int = NONE
    creator: CompletedCommand | None = None
    spilled: bool = False

    def recall(self, command: str) -> CompletedCommand | None:
        """Return what is remembered here of a command."""
        for done in reversed(self.done):
            if done.command == command:
                return done
        if self.creator is not None and self.creator.command == command:
            return self.creator
        return None


class DecodedEvent(msgspec.Struct, frozen=True):
    """One record of the log, or one on its way there: then its offset is UNSETTLED, and it has its bytes.

    `size` is how many these are, also when it no longer has them.
    """

    envelope: Envelope
    event: Event | None
    offset: int
    value: bytes = b""
    size: int = 0


#: What a completed command takes in memory, about.
_DONE_BYTES = 400
#: What a value takes beside what is in it, about.
_VALUE_BYTES = 64


def memory_of(snapshot: AggregateSnapshot[Any]) -> int:
    """Return how many bytes an aggregate takes in memory, about."""
    unreadable = 0 if snapshot.faults is None else snapshot.faults.memory
    return _size(snapshot.state) + unreadable + _DONE_BYTES * (1 + len(snapshot.done))


def _size(value: Any) -> int:  # noqa: ANN401 (whatever a state is made of)
    if value is None or isinstance(value, str | bytes):
        return getsizeof(value)
    if isinstance(value, msgspec.Struct):
        return _VALUE_BYTES + sum(_size(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, Mapping):
        return _VALUE_BYTES + sum(_size(key) + _size(item) for key, item in value.items())
    if isinstance(value, list | tuple | AbstractSet):
        return _VALUE_BYTES + sum(_size(item) for item in value)
    return _VALUE_BYTES


class SnapshotFold:
    """How one service's records add up to what it holds: the aggregate's evolve, and command memory."""

    def __init__(self, aggregate: Aggregate[Any]) -> None:
        self._aggregate = aggregate
        self._source = aggregate.name
        self.empty = AggregateSnapshot(aggregate.initial)

    def read(self, record: Record) -> DecodedEvent:
        """Read a record. Raises `Malformed`."""
        envelope = decode_envelope(record.value)
        event = self._aggregate.catalogue.decode(envelope.type, bytes(envelope.data))
        return DecodedEvent(envelope, event, record.offset)

    def apply(self, snapshot: AggregateSnapshot[Any], record: Record) -> tuple[AggregateSnapshot[Any], str]:
        """Return what is held after a record of the log, and the record's event id."""
        try:
            said = self.read(record)
            return self.after(snapshot, said), said.envelope.id
        except Exception:  # noqa: BLE001 (whatever it is, it holds back this key and no other)
            return msgspec.structs.replace(snapshot, faults=add_offset(snapshot.faults, record.offset)), ""

    def after(self, snapshot: AggregateSnapshot[Any], said: DecodedEvent) -> AggregateSnapshot[Any]:
        """Return what is held after one more."""
        envelope, event = said.envelope, said.event
        state, version, first = snapshot.state, snapshot.version, snapshot.first
        if event is not None:
            state, version = self._aggregate.evolve(state, event), said.offset
            first = said.offset if first < 0 else first
        elif envelope.type != ANSWERED:
            return _without(snapshot, dropped(envelope))
        done, fired, creator = snapshot.done, snapshot.fired, snapshot.creator
        if envelope.source == self._source and envelope.commandid:
            at_ms = int(envelope.time.timestamp() * 1000)
            latest = CompletedCommand(envelope.commandid, envelope.commandhash, version, said.offset, at_ms)
            done = (*(done[:-1] if done and done[-1].command == latest.command else done), latest)
            if latest.hash == DUE:
                fired = latest.command
            if snapshot.version == NONE or (creator is not None and creator.command == latest.command):
                creator = latest
        return AggregateSnapshot(
            state, version, done, snapshot.faults, fired, first, creator, snapshot.spilled
        )


def spill(snapshot: AggregateSnapshot[Any]) -> tuple[AggregateSnapshot[Any], tuple[CompletedCommand, ...]]:
    """Return what is held with the newest commands only, and the older ones."""
    if len(snapshot.done) <= REMEMBERED:
        return snapshot, ()
    older = snapshot.done[:-REMEMBERED]
    return msgspec.structs.replace(snapshot, done=snapshot.done[-REMEMBERED:], spilled=True), older


def _without(snapshot: AggregateSnapshot[Any], offset: int | None) -> AggregateSnapshot[Any]:
    faults = snapshot.faults if offset is None else remove_offset(snapshot.faults, offset)
    if faults is snapshot.faults:
        return snapshot
    return msgspec.structs.replace(snapshot, faults=faults)
