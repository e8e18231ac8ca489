"""Reads an owner's partition of the log and folds it into the states."""

import asyncio
from collections.abc import Callable, Collection

import structlog

from bookshelf.log.deduplicated import DeduplicatingTail, open_deduplicated
from bookshelf.log.port import OutOfRange
from bookshelf.runtime.aggregate.context import PartitionContext
from bookshelf.runtime.aggregate.pending_events import PendingEvents
from bookshelf.runtime.aggregate.state_cache import StateCache

#: Records folded before other tasks have a turn.
_BATCH = 500
_logger = structlog.get_logger(__name__)

NoteFolded = Callable[[Collection[str]], None]


class PartitionReplay:
    """Folds the partition's records into the states, in order, and wakes calls that wait for an offset."""

    def __init__(self, context: PartitionContext, states: StateCache, pending: PendingEvents) -> None:
        self._topic = context.aggregate.topic
        self._partition = context.partition
        self._log = context.dependencies.log
        self._clock = context.dependencies.clock
        self._states = states
        self._pending = pending
        #: Called after each fold with the keys of the folded records.
        self.listeners: list[NoteFolded] = []
        self._tail: DeduplicatingTail
        self._folded = 0
        self._mark = ""
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._storing = asyncio.Lock()

    @property
    def folded(self) -> int:
        """The offset of the next record to fold."""
        return self._folded

    async def open(self) -> None:
        """Start at the offset of the stored states, or at the log's beginning if these are of another log."""
        offset, mark = await self._states.open(f"{self._log.identity}/{self._topic}/{self._partition}")
        try:
            self._tail = await open_deduplicated(self._log, self._topic, self._partition, offset, mark)
        except OutOfRange as fault:
            await self._states.reset()
            start = await self._log.start(self._topic, self._partition)
            what = "gap" if start else "states-rebuilt"
            _logger.error(what, why=str(fault), begins_at=start)  # noqa: TRY400 (no defect)
            self._tail = await open_deduplicated(self._log, self._topic, self._partition, start)
        self._folded, self._mark = self._tail.position, self._tail.mark
        if self._mark and not mark:  # stored by an earlier release
            await self.store()

    async def follow(self) -> None:
        """Fold records as they are appended, until cancelled."""
        while True:
            records = await self._tail.take(_BATCH)
            keys = {record.key for record in records}
            await self._states.load(keys)
            for record in records:
                self._pending.read_back(record)
            for note_folded in self.listeners:
                note_folded(keys)
            self._folded, self._mark = self._tail.position, self._tail.mark
            self._wake_waiting()
            if self._states.full:
                await self.store()

    async def store(self) -> None:
        """Flush the states to the store, as of the folded offset."""
        async with self._storing:
            await self._states.flush(self._folded, self._mark, now=self._clock.now())

    def _wake_waiting(self) -> None:
        still: list[tuple[int, asyncio.Future[None]]] = []
        for end, waiter in self._waiting:
            if end > self._folded:
                still.append((end, waiter))
            elif not waiter.done():
                waiter.set_result(None)
        self._waiting = still

    async def catch_up(self) -> bool:
        """Fold everything that is in the log now; return True if that was anything new."""
        before = self._folded
        await self._reach(await self._log.end(self._topic, self._partition))
        return self._folded > before

    async def catch_up_to(self, offset: int) -> None:
        """Return once every record before `offset` is folded; at once if that is past the end of the log."""
        if self._folded < offset <= await self._log.end(self._topic, self._partition):
            await self._reach(offset)

    async def _reach(self, offset: int) -> None:
        if self._folded < offset:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((offset, waiter))
            await waiter

    async def close(self) -> None:
        """Store the states, so that the next start continues from here."""
        await self.store()
        await self._states.close()
        await self._tail.close()
