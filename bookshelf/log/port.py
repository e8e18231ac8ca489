"""The port of the log. Every adapter passes the same contract (test/contract/log_contract.py).

Keys have partitions by Kafka's own rule, so that every Kafka client computes the same partition.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Protocol

import msgspec


class NewRecord(msgspec.Struct, frozen=True):
    """A record to append: its key (an aggregate's id) and its value (bytes of JSON).

    Without a `topic` it goes to the writer's own topic and partition, else to its key's partition there, or
    to that of `partition_key`, if one is given: a child of an aggregate is in the partition of its parent.
    """

    key: str
    value: bytes
    topic: str = ""
    partition_key: str = ""


class Consumed(msgspec.Struct, frozen=True):
    """How far a writer has worked through a partition of commands: the offset that it reads next."""

    topic: str
    partition: int
    offset: int


class Record(msgspec.Struct, frozen=True):
    """A record as it stands in the log."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes


class LogFault(Exception):
    """An operation of the log failed; the message has the cause and, where there is one, a remedy."""


class Fenced(LogFault):
    """A newer writer of this name and partition was opened: all appends of this one fail."""


class OutcomeUnknown(LogFault):
    """The append may or may not have happened: reopen the writer, read to the end, then decide."""


class LogFull(LogFault):
    """Nothing was written: the disk is full or read-only. Try again when that is corrected."""


class OutOfRange(LogFault):
    """The requested offset is before the start or after the end of the partition."""


class Writer(Protocol):
    """The exclusive right to append under a name and a partition. Opening another writer fences it."""

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        """Append all or none, durably, and move `consumed` with them; return the records' offsets.

        Raises `LogFault`. Records may be none: then only `consumed` moves.
        """

    async def close(self) -> None:
        """Close the writer."""


class Tail(Protocol):
    """A reader of one partition, in order, from an offset onwards."""

    @property
    def position(self) -> int:
        """The offset that is read next."""

    async def take(self, most: int) -> Sequence[Record]:
        """Return 1 to `most` records in order, waiting for the first; none if only the position moved."""

    async def close(self) -> None:
        """Stop reading; a waiting `take` is cancelled by its own task, not by this."""


Change = Callable[[frozenset[int]], Awaitable[None]]


class Membership(Protocol):
    """One member's part in a group that divides a topic's partitions among its members."""

    async def leave(self) -> None:
        """Return all partitions, which are revoked and drained first, and leave."""


class Log(Protocol):
    """Topics of partitions of records. Offsets grow; some may be missing (Kafka's markers)."""

    @property
    def identity(self) -> str:
        """A name unique to this log: state derived from a log of another name must not be used with it."""

    def partitions(self, topic: str) -> int:
        """Return the topic's number of partitions, which is constant while the log is open."""

    async def look_up(self, topic: str) -> bool:
        """Return True if records can be appended to a topic that the log may not have been opened with.

        After that `partitions` knows the topic, until a later look-up finds it deleted. Raises `LogFault` if
        the topic cannot be looked up now.
        """

    async def writer(self, name: str, topic: str, partition: int) -> Writer:
        """Open a writer; once this returns, all appends of former writers of that name fail."""

    async def tail(self, topic: str, partition: int, offset: int) -> Tail:
        """Read from `offset`. Raises `OutOfRange` before the start or past the end."""

    async def start(self, topic: str, partition: int) -> int:
        """Return the first offset that is kept; more than 0 once the log was truncated. Raises `LogFault`."""

    async def end(self, topic: str, partition: int) -> int:
        """Return the end offset (exclusive): every acknowledged record is below it, and tails reach it.

        Raises `LogFault`.
        """

    async def consumed(self, name: str, topic: str, partition: int) -> int:
        """Return the offset to which that name's writers last moved the partition; 0 if none did.

        Call it after opening the writer, when the appends of a former one have ended. Raises `LogFault`.
        """

    async def join(self, group: str, topic: str, assigned: Change, revoked: Change) -> Membership:
        """Join a group; `assigned` and `revoked` are awaited in turn, never at once.

        No partition is assigned to one member before it has been revoked from another that lives.
        """

    async def close(self) -> None:
        """Close all connections and files. Acknowledged records stay in the log."""


class ReadOnlyLog(Protocol):
    """The reading part of `Log`, with a search for records by time."""

    def partitions(self, topic: str) -> int:
        """Return the topic's number of partitions."""

    async def tail(self, topic: str, partition: int, offset: int) -> Tail:
        """Read from `offset`. Raises `OutOfRange` before the start or past the end."""

    async def start(self, topic: str, partition: int) -> int:
        """Return the first offset that is kept. Raises `LogFault`."""

    async def end(self, topic: str, partition: int) -> int:
        """Return the end offset (exclusive): every acknowledged record is below it. Raises `LogFault`."""

    async def since(self, topic: str, partition: int, moment: datetime) -> int:
        """Return an offset at or before the first record appended at `moment` (aware) or later."""

    async def close(self) -> None:
        """Close all connections and files."""


_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 of data, seeded as Kafka's DefaultPartitioner seeds it."""
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


@lru_cache(maxsize=4096)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key among `partitions` (1 or more)."""
    if partitions == 1:
        return 0
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


#: A topic and a partition.
Place = tuple[str, int]


def positions_of(records: Sequence[NewRecord], own: Place, partitions: Callable[[str], int]) -> list[Place]:
    """Return each record's topic and partition: the writer's own, or its key's partition of its topic."""
    return [
        own
        if record.topic in {"", own[0]}
        else (record.topic, partition_of(record.partition_key or record.key, partitions(record.topic)))
        for record in records
    ]
