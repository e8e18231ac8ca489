"""The copies of all sessions of one partition: its records are read from the first on, and followed.

A copy decides nothing, so it keeps states without what owners remember of commands. The states that were used
last are in memory, all others in a file that can be made again from the log.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import structlog

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import DecodedValue
from bookshelf.cqrs.message import Event
from bookshelf.log.deduplicated import DeduplicatingTail, open_deduplicated
from bookshelf.log.port import OutOfRange, Record
from bookshelf.runtime.aggregate.context import OwnerDependencies
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.infrastructure import MakeStates
from bookshelf.runtime.supervisor import Supervisor

#: Records that are folded before other tasks have a turn.
_BATCH = 1000
_logger = structlog.get_logger(__name__)


class PartitionCopy:
    """The states of the aggregates of one topic in one partition, as this node has read them."""

    def __init__(
        self, aggregates: Sequence[Aggregate[Any]], partition: int, ports: OwnerDependencies, make: MakeStates
    ) -> None:
        """Take the aggregates that share a topic; each names the events that it `folds`."""
        self._aggregates = aggregates
        self._topic, self._catalogue = aggregates[0].topic, aggregates[0].catalogue
        self._partition = partition
        self._log, self._clock = ports.log, ports.clock
        self._make = make
        self._of_event = {event: aggregate for aggregate in aggregates for event in aggregate.folds}
        self._supervisor = Supervisor(f"the copies of {self._topic}")
        self._current = asyncio.Event()
        self._caches: Mapping[str, StateCache] = {}
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
        caches = {aggregate.name: self._make(aggregate, self._partition) for aggregate in self._aggregates}
        opened: list[StateCache] = []
        try:
            tail = await self._open(caches, opened)
            try:
                await self._follow(tail, caches)
            finally:
                self._current.clear()
                await self._store(tail, caches)
                await tail.close()
        finally:
            for cache in opened:
                await cache.close()

    async def _open(self, caches: Mapping[str, StateCache], opened: list[StateCache]) -> DeduplicatingTail:
        """Return a tail from where all the caches are; where they differ, or the log does, begin anew."""
        stored: set[tuple[int, str]] = set()
        for cache in caches.values():
            stored.add(await cache.open(f"copies/{self._log.identity}/{self._topic}/{self._partition}"))
            opened.append(cache)
        try:
            if len(stored) == 1:
                return await open_deduplicated(self._log, self._topic, self._partition, *stored.pop())
            why = "its parts were stored at different offsets"
        except OutOfRange as fault:
            why = str(fault)
        for cache in opened:
            await cache.reset()
        start = await self._log.start(self._topic, self._partition)
        _logger.warning("copies-rebuilt", topic=self._topic, why=why, begins_at=start)
        return await open_deduplicated(self._log, self._topic, self._partition, start)

    async def _follow(self, tail: DeduplicatingTail, caches: Mapping[str, StateCache]) -> None:
        self.end = await self._log.end(self._topic, self._partition)
        self._caches, self.folded, self.begun = caches, tail.position, tail.position
        self._current.set()
        while True:
            self._wake_waiting()
            records = await tail.take(_BATCH)
            await self._fold(records, caches)
            self.folded = tail.position
            self._supervisor.note_progress()
            if any(cache.full for cache in caches.values()):
                await self._store(tail, caches)

    async def _fold(self, records: Sequence[Record], caches: Mapping[str, StateCache]) -> None:
        # what others in this process have read too is decoded once; that is not so for old records
        behind = self.end is not None and self.folded < self.end
        decode = self._catalogue.read_alone if behind else self._catalogue.read
        read = [found for record in records if (found := self._decoded(record, decode)) is not None]
        for aggregate, some in groupby(read, key=lambda found: found[0]):
            events, cache = list(some), caches[aggregate.name]
            await cache.load({record.key for _, record, _ in events})
            for _, record, event in events:
                state = _evolved(aggregate, cache.get(record.key).state, event)
                cache.put(record.key, AggregateSnapshot(state, record.offset), len(record.value))

    def _decoded(
        self, record: Record, decode: Callable[[bytes], DecodedValue]
    ) -> tuple[Aggregate[Any], Record, Event] | None:
        try:
            _, event = decode(record.value)
        except Exception:  # noqa: BLE001 (it is a fault of its key, whose owner refuses all commands)
            return None
        aggregate = None if event is None else self._of_event.get(type(event))
        return None if event is None or aggregate is None else (aggregate, record, event)

    async def _store(self, tail: DeduplicatingTail, caches: Mapping[str, StateCache]) -> None:
        for cache in caches.values():
            await cache.flush(self.folded, tail.mark, now=self._clock.now())

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
        """Return the state of a key as it was read last."""
        while not self._current.is_set():
            await self._current.wait()
        cache = self._caches[aggregate.name]
        await cache.load([key])
        return cache.get(key).state


def _evolved(aggregate: Aggregate[Any], state: Any, event: Event) -> Any:  # noqa: ANN401 (any aggregate's)
    try:
        return aggregate.evolve(state, event)
    except Exception:  # noqa: BLE001 (a fault of its key, as one that cannot be read)
        return state
