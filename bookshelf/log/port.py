"""The port of the log. Every adapter passes the same contract (test/contract/log_contract.py)."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec


class NewRecord(msgspec.Struct, frozen=True):
    """A record to append: its key (an aggregate's id) and its value (bytes of JSON).

    Without a `topic` it goes to the writer's own topic and partition, else to its key's partition there.
    """

    key: str
    value: bytes
    topic: str = ""


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
    """The log could not do what was asked; `detail` says what, and what to try."""


class Fenced(LogFault):
    """Another writer has taken this name and partition: this one may write no more."""


class OutcomeUnknown(LogFault):
    """The append may or may not have happened: reopen the writer, read to the end, then decide."""


class LogFull(LogFault):
    """Nothing was written: the disk is full, or may not be written. Try again when that is mended."""


class OutOfRange(LogFault):
    """The offset asked for is no longer, or not yet, in the log: what stands at it is not known."""


class Writer(Protocol):
    """The one pen for a name and a partition. Opening another with the same name fences it."""

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        """Append all or none, durably, and move `consumed` with them; return the records' offsets.

        Raises `LogFault`. Records may be none: then only `consumed` moves.
        """

    async def close(self) -> None:
        """Give the pen back."""


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
        """Give all partitions back (they are revoked first, drained) and leave."""


class Log(Protocol):
    """Topics of partitions of records. Offsets grow; some may be missing (Kafka's markers)."""

    @property
    def identity(self) -> str:
        """A name that is this log's alone: what was derived from another log is worth nothing here."""

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; the same answer for the life of the log."""

    async def look_up(self, topic: str) -> bool:
        """Return True if records can be appended to a topic that the log may not have been opened with.

        After that `partitions` knows it, until a later look-up finds that it has been deleted. Raises
        `LogFault` if that cannot be found out now.
        """

    async def writer(self, name: str, topic: str, partition: int) -> Writer:
        """Open the pen; from the moment this returns, former pens of that name write no more."""

    async def tail(self, topic: str, partition: int, offset: int) -> Tail:
        """Read from `offset`. Raises `OutOfRange` before the start or past the end."""

    async def start(self, topic: str, partition: int) -> int:
        """Return the first offset that is kept; more than 0 once the log was truncated. Raises `LogFault`."""

    async def end(self, topic: str, partition: int) -> int:
        """Return an offset that every acknowledged record lies before, and that tails get to.

        Raises `LogFault`.
        """

    async def consumed(self, name: str, topic: str, partition: int) -> int:
        """Return what the last append of that name's writers said of the partition, 0 if none did.

        Ask after opening the writer: what a former one had under way is decided by then. Raises `LogFault`.
        """

    async def join(self, group: str, topic: str, assigned: Change, revoked: Change) -> Membership:
        """Join a group; `assigned` and `revoked` are awaited in turn, never at once.

        No partition is assigned to one member before it has been revoked from another that lives.
        """

    async def close(self) -> None:
        """Let go of everything. What was acknowledged stays."""


class ReadOnlyLog(Protocol):
    """A part of `Log`, and a way to find what was appended when."""

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""

    async def tail(self, topic: str, partition: int, offset: int) -> Tail:
        """Read from `offset`. Raises `OutOfRange` before the start or past the end."""

    async def start(self, topic: str, partition: int) -> int:
        """Return the first offset that is kept. Raises `LogFault`."""

    async def end(self, topic: str, partition: int) -> int:
        """Return an offset that every acknowledged record lies before. Raises `LogFault`."""

    async def since(self, topic: str, partition: int, moment: datetime) -> int:
        """Return an offset that nothing appended at `moment` (aware) or later lies before."""

    async def close(self) -> None:
        """Let go of everything."""
