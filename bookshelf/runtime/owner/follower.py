"""An owner's reading of its own partition: what it knows, and how far."""

import asyncio
from typing import Any

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.log.port import Log, OutOfRange, Tail
from bookshelf.runtime.owner.overlay import Overlay
from bookshelf.runtime.owner.states import States

#: Records folded before other tasks have a turn.
_BATCH = 500


class Follower:
    """Folds the log into the states, in order, and tells who waits how far that has come."""

    def __init__(
        self, aggregate: Aggregate[Any], partition: int, log: Log, states: States, overlay: Overlay
    ) -> None:
        self._topic = aggregate.topic
        self._partition = partition
        self._log = log
        self._states = states
        self._overlay = overlay
        self._tail: Tail
        self._folded = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    async def open(self) -> None:
        """Start where the stored states end; from the beginning if the log does not reach that far."""
        offset = await self._states.open(f"{self._log.identity}/{self._topic}/{self._partition}")
        try:
            self._tail = await self._log.tail(self._topic, self._partition, offset)
        except OutOfRange:
            await self._states.reset()
            self._tail = await self._log.tail(self._topic, self._partition, 0)
        self._folded = self._tail.position

    async def follow(self) -> None:
        """Read on, for ever."""
        while True:
            records = await self._tail.take(_BATCH)
            await self._states.load({record.key for record in records})
            for record in records:
                self._overlay.read_back(record)
            self._folded = self._tail.position
            self._tell()
            if self._states.full:
                await self._states.flush(self._folded)

    def _tell(self) -> None:
        still: list[tuple[int, asyncio.Future[None]]] = []
        for end, waiter in self._waiting:
            if end > self._folded:
                still.append((end, waiter))
            elif not waiter.done():
                waiter.set_result(None)
        self._waiting = still

    async def catch_up(self) -> bool:
        """Return once everything that is in the log by now is folded; False if it was already."""
        end = await self._log.end(self._topic, self._partition)
        if self._folded >= end:
            return False
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((end, waiter))
        await waiter
        return True

    async def close(self) -> None:
        """Store what is known, so that the next start reads on from there."""
        await self._states.flush(self._folded)
        await self._states.close()
        await self._tail.close()
