"""What an owner holds of one aggregate: its state, its version, and what it answered lately."""

from typing import Any, Generic, TypeVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import ANSWERED, Envelope, decode_envelope, dropped
from bookshelf.cqrs.message import Event
from bookshelf.log.port import Record

S = TypeVar("S")

#: The last commands of each aggregate whose retries are recognised.
REMEMBERED = 64
#: The version of an aggregate whose newest event is not in the log yet: no one can have seen it.
UNSETTLED = -2
#: The version of an aggregate that has no event.
NONE = -1
#: Stands in an envelope in place of the content's hash when the command came from a deadline.
DUE = "due"


class Done(msgspec.Struct, Generic[S], frozen=True, array_like=True):
    """A command that was carried out: its id, its content's hash, and what it left behind."""

    command: str
    hash: str
    state: S
    version: int
    offset: int


class Held(msgspec.Struct, Generic[S], frozen=True, array_like=True):
    """One aggregate as far as the log was read. `version` is the offset of its newest event.

    `faults` are its records that could not be read, as (offset, reason): with one it takes no command.
    `fired` is the id of the last command that a deadline gave.
    """

    state: S
    version: int = NONE
    done: tuple[Done[S], ...] = ()
    faults: tuple[tuple[int, str], ...] = ()
    fired: str = ""

    def recall(self, command: str) -> Done[S] | None:
        """Return what the command left behind, if it is remembered."""
        for done in reversed(self.done):
            if done.command == command:
                return done
        return None


class Said(msgspec.Struct, frozen=True):
    """One record of the log, or one on its way there: then its offset is UNSETTLED, and it has its bytes."""

    envelope: Envelope
    event: Event | None
    offset: int
    value: bytes = b""


class Fold:
    """How one service's records add up to what it holds: the aggregate's evolve, and command memory."""

    def __init__(self, aggregate: Aggregate[Any]) -> None:
        self._aggregate = aggregate
        self._source = aggregate.name
        self.empty = Held(aggregate.initial)

    def read(self, record: Record) -> Said:
        """Read a record. Raises `Malformed`."""
        envelope = decode_envelope(record.value)
        event = self._aggregate.catalogue.decode(envelope.type, bytes(envelope.data))
        return Said(envelope, event, record.offset)

    def apply(self, held: Held[Any], record: Record) -> tuple[Held[Any], str]:
        """Return what is held after a record of the log, and the record's event id."""
        try:
            said = self.read(record)
            return self.after(held, said), said.envelope.id
        except Exception as fault:  # noqa: BLE001 (whatever it is, it holds back this key and no other)
            faults = (*held.faults, (record.offset, str(fault)))
            return Held(held.state, held.version, held.done, faults, held.fired), ""

    def after(self, held: Held[Any], said: Said) -> Held[Any]:
        """Return what is held after one more."""
        envelope, event = said.envelope, said.event
        state, version = held.state, held.version
        if event is not None:
            state, version = self._aggregate.evolve(state, event), said.offset
        elif envelope.type != ANSWERED:
            return _without(held, dropped(envelope))
        done, fired = held.done, held.fired
        if envelope.source == self._source and envelope.commandid:
            latest = Done(envelope.commandid, envelope.commandhash, state, version, said.offset)
            done = (*_others(done, latest.command), latest)
            if latest.hash == DUE:
                fired = latest.command
        return Held(state, version, done, held.faults, fired)


def _without(held: Held[Any], offset: int | None) -> Held[Any]:
    faults = tuple(fault for fault in held.faults if fault[0] != offset)
    if faults == held.faults:
        return held
    return Held(held.state, held.version, held.done, faults, held.fired)


def _others(done: tuple[Done[Any], ...], command: str) -> tuple[Done[Any], ...]:
    if done and done[-1].command == command:
        return done[:-1]
    return done[1 - REMEMBERED :] if len(done) >= REMEMBERED else done
