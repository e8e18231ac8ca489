"""The snapshot of one aggregate, and the fold that computes it: state, version and completed commands.

The offsets of unreadable records are an immutable tree of which a change copies one path.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from operator import attrgetter
from sys import getsizeof
from types import NoneType
from typing import Any, Generic, TypeVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import ANSWERED, NO_TOKEN, Envelope, dropped
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.parent import is_child, parent_of
from bookshelf.log.port import Record

#: Offsets of a leaf, and parts of another node, at the most.
_WIDTH = 32
#: What a node and an offset take in memory, about.
_NODE_BYTES = 200
_OFFSET_BYTES = 40
_first = attrgetter("first")


class UnreadableOffsets(msgspec.Struct, frozen=True, array_like=True):
    """A node of the tree: either `offsets`, of a leaf, or `parts`, all of one depth; both are sorted.

    It is never empty. `first` is its lowest offset, and `memory` the bytes that it takes, about.
    """

    first: int
    memory: int
    offsets: tuple[int, ...] = ()
    parts: tuple["UnreadableOffsets", ...] = ()


def add_offset(node: UnreadableOffsets | None, offset: int) -> UnreadableOffsets:
    """Return the offsets with one more, which is higher than all of them."""
    if node is None:
        return _leaf((offset,))
    return _appended(node, offset) or _inner((node, _single(offset, node)))


def remove_offset(node: UnreadableOffsets | None, offset: int) -> UnreadableOffsets | None:
    """Return the offsets without this one: `node` itself if it has no such offset, None if none is left."""
    if node is None or offset < node.first:
        return node
    if not node.parts:
        if offset not in node.offsets:
            return node
        offsets = tuple(other for other in node.offsets if other != offset)
        return _leaf(offsets) if offsets else None
    index = bisect_right(node.parts, offset, key=_first) - 1
    part = remove_offset(node.parts[index], offset)
    if part is node.parts[index]:
        return node
    parts = (*node.parts[:index], *(() if part is None else (part,)), *node.parts[index + 1 :])
    return _inner(parts) if parts else None


def _appended(node: UnreadableOffsets, offset: int) -> UnreadableOffsets | None:
    """Return the node with a higher offset; None if it is full."""
    if not node.parts:
        return _leaf((*node.offsets, offset)) if len(node.offsets) < _WIDTH else None
    last = _appended(node.parts[-1], offset)
    if last is not None:
        return _inner((*node.parts[:-1], last))
    if len(node.parts) < _WIDTH:
        return _inner((*node.parts, _single(offset, node.parts[-1])))
    return None


def _single(offset: int, beside: UnreadableOffsets) -> UnreadableOffsets:
    """Return a node of one offset, as deep as the one beside it."""
    return _inner((_single(offset, beside.parts[0]),)) if beside.parts else _leaf((offset,))


def _leaf(offsets: tuple[int, ...]) -> UnreadableOffsets:
    return UnreadableOffsets(offsets[0], _NODE_BYTES + _OFFSET_BYTES * len(offsets), offsets)


def _inner(parts: tuple[UnreadableOffsets, ...]) -> UnreadableOffsets:
    memory = _NODE_BYTES + sum(part.memory for part in parts)
    return UnreadableOffsets(parts[0].first, memory, (), parts)


S = TypeVar("S")

#: Completed commands that stay in the snapshot; older ones are in the store (`StateCache.spill`).
REMEMBERED = 64
#: The version of an aggregate whose newest event is not in the log yet: no client can have seen it.
UNSETTLED = -2
#: The version of an aggregate that has no event.
NONE = -1
#: The content hash of commands that the service itself requests, and the prefix of their ids.
INTERNAL_HASH = "due"
INTERNAL_PREFIX = "due-"


class CompletedCommand(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a completed command: id, content hash, version after it, offset of its last record.

    `at_ms` is the time of its events, in milliseconds since 1970; `change` is the id of the first of them,
    empty if there is none. The state after it is not kept: if a
    repetition needs it, it is folded again from the log (FirstAnswers).
    """

    command: str
    hash: str
    version: int
    offset: int
    at_ms: int = 0
    change: str = ""


class AggregateSnapshot(msgspec.Struct, Generic[S], frozen=True, array_like=True):
    """One aggregate as of the last folded record. `version` is the offset of its newest event.

    `faults` are the offsets of its unreadable records: while there is one, every command is refused.
    `internal` is the id of the last command that the service itself requested. `first` is the offset of the
    first event, and `creator` the command that led to it, which is never forgotten. `spilled` is True if the
    store has further completed commands. `origins` has, for each process and partition that it reads
    (`NAME:topic/partition`), the highest offset from which a command was carried out; it is never forgotten.
    `token` is the highest fencing token of a command that was carried out.
    """

    state: S
    version: int = NONE
    done: tuple[CompletedCommand, ...] = ()
    faults: UnreadableOffsets | None = None
    internal: str = ""
    first: int = NONE
    creator: CompletedCommand | None = None
    spilled: bool = False
    origins: dict[str, int] = msgspec.field(default_factory=dict)
    token: int = NO_TOKEN

    def recall(self, command: str) -> CompletedCommand | None:
        """Return the completed command of this id; None if the snapshot does not have it."""
        for done in reversed(self.done):
            if done.command == command:
                return done
        if self.creator is not None and self.creator.command == command:
            return self.creator
        return None

    def has_carried_out(self, origin: str) -> bool:
        """Return True if a command of this origin, or of a later one in its partition, was carried out."""
        source, offset = split_origin(origin)
        return offset <= self.origins.get(source, -1)


def split_origin(origin: str) -> tuple[str, int]:
    """Return process and partition (`NAME:topic/partition`), and the offset there."""
    source, _, offset = origin.rpartition("@")
    return source, int(offset)


class DecodedEvent(msgspec.Struct, frozen=True):
    """A decoded record. Before it is appended, its offset is UNSETTLED and `value` holds the encoded bytes.

    `size` is the number of those bytes, kept when they are dropped. `event` is None if its type is unknown.
    """

    envelope: Envelope
    event: Event | None
    offset: int
    value: bytes = b""
    size: int = 0


#: Bytes that a completed command takes in memory, estimated.
_DONE_BYTES = 500
#: Bytes that an origin takes in memory, estimated.
_ORIGIN_BYTES = 200
#: Bytes that a value takes in memory beside its contents, estimated.
_VALUE_BYTES = 64
#: Values without contents of their own, and texts.
_FLAT, _TEXT = frozenset({bool, int, float}), {str}


def memory_of(snapshot: AggregateSnapshot[Any]) -> int:
    """Return an estimate of the bytes that a snapshot takes in memory."""
    unreadable = 0 if snapshot.faults is None else snapshot.faults.memory
    return (
        _size(snapshot.state)
        + unreadable
        + _DONE_BYTES * (1 + len(snapshot.done))
        + _ORIGIN_BYTES * len(snapshot.origins)
    )


def _size(value: Any) -> int:  # noqa: ANN401 (whatever a state is made of)
    parts = _parts_of(value.__class__)
    return getsizeof(value) if parts is None else _VALUE_BYTES + sum(map(_sizes, parts(value)))


@cache
def _parts_of(kind: type) -> Callable[[Any], tuple[Collection[Any], ...]] | None:
    """Return what gives the contents of a value of this type; None for a value that is measured itself."""
    if issubclass(kind, str | bytes | NoneType):
        return None
    if issubclass(kind, msgspec.Struct):
        return lambda value: (msgspec.structs.astuple(value),)
    if issubclass(kind, Mapping):
        return lambda value: (value, value.values())
    return (lambda value: (value,)) if issubclass(kind, list | tuple | AbstractSet) else lambda _: ()


def _sizes(values: Collection[Any]) -> int:
    """Return the sizes of values together; at once if all are texts or numbers, because there can be many."""
    kinds = set(map(type, values))
    if kinds <= _FLAT:
        return _VALUE_BYTES * len(values)
    return sum(map(getsizeof, values)) if kinds == _TEXT else sum(map(_size, values))


class SnapshotFold:
    """Folds records into snapshots: the aggregate's `evolve`, and the memory of completed commands."""

    def __init__(self, aggregate: Aggregate[Any]) -> None:
        self._aggregate = aggregate
        self._parent = aggregate.parent
        self._source = aggregate.name
        catalogue, folds = aggregate.catalogue, aggregate.folds
        if folds and self._parent is not None:
            folds += self._parent.folds
        self._not_folded = catalogue.types_beside(folds) if folds else frozenset[str]()
        self.empty = AggregateSnapshot(aggregate.initial)

    def concerns(self, record: Record) -> bool:
        """Return False for a record whose event belongs to aggregates of other kinds only."""
        if not self._not_folded:
            return True
        try:
            envelope, _ = self._aggregate.catalogue.read(record.value)
        except Exception:  # noqa: BLE001 (whatever the fault, it becomes one of the record's key)
            return True
        return envelope.type not in self._not_folded or envelope.source == self._source

    def read(self, record: Record) -> DecodedEvent:
        """Decode a record. Raises `Malformed`."""
        return DecodedEvent(*self._aggregate.catalogue.read(record.value), record.offset)

    def apply(
        self, snapshot: AggregateSnapshot[Any], record: Record, parent: AggregateSnapshot[Any] | None = None
    ) -> tuple[AggregateSnapshot[Any], str]:
        """Return the snapshot after a record of the log, and the record's event id.

        `parent` is the present snapshot of a child's parent. A record that cannot be read or folded becomes
        one of the snapshot's faults; its id is then empty.
        """
        try:
            decoded = self.read(record)
            return self.after(snapshot, decoded, parent), decoded.envelope.id
        except Exception:  # noqa: BLE001 (whatever the fault, only this key is affected)
            return msgspec.structs.replace(snapshot, faults=add_offset(snapshot.faults, record.offset)), ""

    @property
    def has_parents(self) -> bool:
        """True if the snapshots are of children and of their parents."""
        return self._parent is not None

    def parent_of(self, key: str) -> str | None:
        """Return the key of the parent; None for a key that is no child's."""
        return parent_of(key) if self._parent is not None and is_child(key) else None

    def _evolved(self, state: Any, event: Event, parent: AggregateSnapshot[Any] | None) -> Any:  # noqa: ANN401 (any aggregate's)
        if self._parent is None:
            return self._aggregate.evolve(state, event)
        if parent is None:  # it is the parent itself
            return self._parent.evolve(state, event)
        return self._aggregate.evolve(state, event) if self._parent.admits(parent.state, event) else state

    def after(
        self,
        snapshot: AggregateSnapshot[Any],
        decoded: DecodedEvent,
        parent: AggregateSnapshot[Any] | None = None,
    ) -> AggregateSnapshot[Any]:
        """Return the snapshot after one more decoded record; `parent` as for `apply`."""
        envelope, event = decoded.envelope, decoded.event
        state, version, first = snapshot.state, snapshot.version, snapshot.first
        if event is not None:
            state, version = self._evolved(state, event, parent), decoded.offset
            first = decoded.offset if first < 0 else first
        elif envelope.type != ANSWERED:
            return _without(snapshot, dropped(envelope))
        done, internal, creator, origins = (
            snapshot.done,
            snapshot.internal,
            snapshot.creator,
            snapshot.origins,
        )
        if envelope.source == self._source and envelope.origin:
            source, offset = split_origin(envelope.origin)
            origins = {**origins, source: max(offset, origins.get(source, -1))}
        elif envelope.source == self._source and envelope.commandid:
            at_ms = int(envelope.time.timestamp() * 1000)
            same = done[-1:] if done and done[-1].command == envelope.commandid else ()
            change = same[0].change if same else "" if event is None else envelope.id
            latest = CompletedCommand(
                envelope.commandid, envelope.commandhash, version, decoded.offset, at_ms, change
            )
            done = (*(done[:-1] if same else done), latest)
            if latest.hash == INTERNAL_HASH:
                internal = latest.command
            if snapshot.version == NONE or (creator is not None and creator.command == latest.command):
                creator = latest
        # an event of another aggregate of the topic has no token of this one's lock
        token = envelope.fencingtoken if envelope.source == self._source else NO_TOKEN
        return AggregateSnapshot(
            *(state, version, done, snapshot.faults, internal, first, creator, snapshot.spilled, origins),
            max(token, snapshot.token),
        )


def spill(snapshot: AggregateSnapshot[Any]) -> tuple[AggregateSnapshot[Any], tuple[CompletedCommand, ...]]:
    """Return the snapshot with its newest REMEMBERED completed commands only, and the older ones."""
    if len(snapshot.done) <= REMEMBERED:
        return snapshot, ()
    older = snapshot.done[:-REMEMBERED]
    return msgspec.structs.replace(snapshot, done=snapshot.done[-REMEMBERED:], spilled=True), older


def _without(snapshot: AggregateSnapshot[Any], offset: int | None) -> AggregateSnapshot[Any]:
    faults = snapshot.faults if offset is None else remove_offset(snapshot.faults, offset)
    if faults is snapshot.faults:
        return snapshot
    return msgspec.structs.replace(snapshot, faults=faults)
