"""A log that fails on demand. It implements the port, over any other log."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from bookshelf.log.port import (
    Change,
    Consumed,
    Log,
    LogFull,
    Membership,
    NewRecord,
    OutcomeUnknown,
    Record,
    Tail,
    Writer,
)

Fault = Callable[[Writer, Sequence[NewRecord]], Awaitable[Sequence[int]]]


async def lost(_writer: Writer, _records: Sequence[NewRecord]) -> Sequence[int]:
    """The answer did not come, and nothing was written."""
    msg = "the connection was cut before anything was sent"
    raise OutcomeUnknown(msg)


async def landed(writer: Writer, records: Sequence[NewRecord]) -> Sequence[int]:
    """The answer did not come, and everything was written."""
    await writer.append(records)
    msg = "the connection was cut before the answer came"
    raise OutcomeUnknown(msg)


async def lets_through(writer: Writer, records: Sequence[NewRecord]) -> Sequence[int]:
    """No fault: for an append before the one that fails."""
    return await writer.append(records)


async def full(_writer: Writer, _records: Sequence[NewRecord]) -> Sequence[int]:
    """Nothing was written, and that is certain."""
    msg = "the disk is full"
    raise LogFull(msg)


async def hangs(_writer: Writer, _records: Sequence[NewRecord]) -> Sequence[int]:
    """No answer, ever; nothing was written."""
    await asyncio.Event().wait()
    return ()


async def lands_and_hangs(writer: Writer, records: Sequence[NewRecord]) -> Sequence[int]:
    """Everything was written, and no answer ever comes."""
    await writer.append(records)
    return await hangs(writer, records)


async def breaks(_writer: Writer, _records: Sequence[NewRecord]) -> Sequence[int]:
    """A defect of the adapter: not even a fault of the port."""
    msg = "a defect"
    raise ZeroDivisionError(msg)


def gate(reached: asyncio.Event, opened: asyncio.Event) -> Fault:
    """An append that waits at a gate, then goes through."""

    async def waits(writer: Writer, records: Sequence[NewRecord]) -> Sequence[int]:
        reached.set()
        await opened.wait()
        return await writer.append(records)

    return waits


class FaultyLog:
    """`appends`, `opens` and `tails` are the faults of the next ones, each used once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        #: The log as it is, without faults.
        self.plain = log
        self.identity = log.identity
        self.appends: deque[Fault] = deque()
        self.opens: deque[Exception] = deque()
        self.tails: deque[Exception] = deque()
        self.batches: list[int] = []
        #: A writer was opened, or could not be.
        self.opened = asyncio.Event()
        self.failed = asyncio.Event()
        #: While this is not set, tails give nothing: a reader that has fallen behind.
        self.readable = asyncio.Event()
        self.readable.set()
        #: The consumed offsets are lost: every reader begins at the start.
        self.forgetful = False
        #: The names whose consumed offsets are lost, if not all are.
        self.forgets: set[str] = set()

    def partitions(self, topic: str) -> int:
        return self._log.partitions(topic)

    async def look_up(self, topic: str) -> bool:
        return await self._log.look_up(topic)

    async def writer(self, name: str, topic: str, partition: int) -> "FaultyWriter":
        if self.opens:
            self.failed.set()
            raise self.opens.popleft()
        writer = FaultyWriter(self, await self._log.writer(name, topic, partition))
        self.opened.set()
        return writer

    async def tail(self, topic: str, partition: int, offset: int) -> Tail:
        if self.tails:
            raise self.tails.popleft()
        return FaultyTail(self, await self._log.tail(topic, partition, offset))

    async def start(self, topic: str, partition: int) -> int:
        return await self._log.start(topic, partition)

    async def end(self, topic: str, partition: int) -> int:
        return await self._log.end(topic, partition)

    async def consumed(self, name: str, topic: str, partition: int) -> int:
        return (
            0 if self.forgetful or name in self.forgets else await self._log.consumed(name, topic, partition)
        )

    async def join(self, group: str, topic: str, assigned: Change, revoked: Change) -> Membership:
        return await self._log.join(group, topic, assigned, revoked)

    async def close(self) -> None:
        await self._log.close()


class FaultyWriter:
    """A writer that fails as its log is set to, and records the size of each append."""

    def __init__(self, log: FaultyLog, writer: Writer) -> None:
        self._log = log
        self._writer = writer

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        self._log.batches.append(len(records))
        if self._log.appends:
            return await self._log.appends.popleft()(_With(self._writer, consumed), records)
        return await self._writer.append(records, consumed)

    async def close(self) -> None:
        await self._writer.close()


class FaultyTail:
    """A tail that gives nothing while its log is not readable."""

    def __init__(self, log: FaultyLog, tail: Tail) -> None:
        self._log = log
        self._tail = tail

    @property
    def position(self) -> int:
        return self._tail.position

    async def take(self, most: int) -> Sequence[Record]:
        records = await self._tail.take(most)
        await self._log.readable.wait()
        return records

    async def close(self) -> None:
        await self._tail.close()


class _With:
    """A writer that moves the consumed offset, as was requested before a fault."""

    def __init__(self, writer: Writer, consumed: Consumed | None) -> None:
        self._writer = writer
        self._consumed = consumed

    async def append(self, records: Sequence[NewRecord], _consumed: Consumed | None = None) -> Sequence[int]:
        return await self._writer.append(records, self._consumed)

    async def close(self) -> None:
        await self._writer.close()
