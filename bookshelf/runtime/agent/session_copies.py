"""The copies of all sessions of one partition: its records are read from the first on, and followed.

A copy decides nothing, so it keeps states without what owners remember of commands.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from bookshelf.concurrency import first_of
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.log.deduplicated import DeduplicatingTail, open_deduplicated
from bookshelf.log.port import OutOfRange
from bookshelf.runtime.agent.copied_states import CopiedStates, CopiesClosed, MakeCopies
from bookshelf.runtime.aggregate.context import OwnerDependencies
from bookshelf.runtime.supervisor import Supervisor
from bookshelf.storage.port import TableSetCorrupt

#: Records that are added before other tasks have a turn.
_BATCH = 1000
_logger = structlog.get_logger(__name__)


class PartitionCopy:
    """The states of the aggregates of one topic in one partition, as this node has read them."""

    def __init__(
        self, aggregates: Sequence[Aggregate[Any]], partition: int, ports: OwnerDependencies, make: MakeCopies
    ) -> None:
        """Take the aggregates that share a topic; each names the events that it `folds`."""
        self._aggregates = aggregates
        self._topic = aggregates[0].topic
        self._partition = partition
        self._log = ports.log
        self._make = make
        self._supervisor = Supervisor(f"the copies of {self._topic}")
        self._current = asyncio.Event()
        self._states: CopiedStates | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        #: The offset of the next record to read.
        self.folded = 0
        #: Where it was opened, and the end of the partition at that moment; None until that is known.
        self.begun = 0
        self.end: int | None = None

    @property
    def fault(self) -> str | None:
        """Why it is not read; None if it is."""
        return self._supervisor.fault

    async def keep(self) -> None:
        """Read the partition until cancelled; after a fault go on from what was stored."""
        await self._supervisor.keep(self._read)

    async def _read(self) -> None:
        states = self._make(self._aggregates, self._partition)
        tail = await self._open(states)
        try:
            await first_of((self._follow(tail, states), states.damaged()))
        finally:
            self._current.clear()
            try:
                await states.flush(self.folded, tail.mark)
            finally:
                await states.close()
                await tail.close()

    async def _open(self, states: CopiedStates) -> DeduplicatingTail:
        """Return a tail from where the copies are; where the log differs, begin anew."""
        try:
            offset, mark = await states.open(f"copies/{self._log.identity}/{self._topic}/{self._partition}")
            try:
                tail = await open_deduplicated(self._log, self._topic, self._partition, offset, mark)
            except OutOfRange as fault:
                await states.reset()
                start = await self._log.start(self._topic, self._partition)
                _logger.warning("copies-rebuilt", topic=self._topic, why=str(fault), begins_at=start)
                tail = await open_deduplicated(self._log, self._topic, self._partition, start)
        except BaseException:
            await states.close()
            raise
        self._states, self.folded, self.begun = states, tail.position, tail.position
        return tail

    async def _follow(self, tail: DeduplicatingTail, states: CopiedStates) -> None:
        self.end = await self._log.end(self._topic, self._partition)
        self._current.set()
        while True:
            self._wake_waiting()
            records = await tail.take(_BATCH)
            # together: whenever this ends, the copies are flushed as of this offset
            states.add(records)
            self.folded = tail.position
            self._supervisor.note_progress()
            await states.fold_many()
            if states.full:
                await states.flush(self.folded, tail.mark)

    def _wake_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for goal, waiter in waiting:
            if goal > self.folded:
                self._waiting.append((goal, waiter))
            elif not waiter.done():
                waiter.set_result(None)

    async def reach(self, offset: int | None) -> None:
        """Return once all before this offset is read; with None, all that is in the log now.

        Also while it is opened anew after a fault. Returns at once for an offset past the end of the log.
        """
        await self._current.wait()
        if offset is not None and offset <= self.folded:
            return
        end = await self._log.end(self._topic, self._partition)
        goal = end if offset is None else offset
        if self.folded < goal <= end:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((goal, waiter))
            await waiter

    async def get(self, aggregate: Aggregate[Any], key: str) -> Any:  # noqa: ANN401 (the aggregate's state)
        """Return the state of a key as it was read last; waits while the copies are opened anew."""
        while True:
            await self._current.wait()
            try:
                if self._states is not None:
                    return await self._states.get(aggregate, key)
            except (CopiesClosed, TableSetCorrupt, msgspec.MsgspecError):
                await asyncio.sleep(0)  # they end, and are opened anew
