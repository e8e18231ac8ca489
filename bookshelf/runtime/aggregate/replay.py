"""Folds an owner's partition into its states, and adds events that are appended but not read back."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import structlog

from bookshelf.log.deduplicated import DeduplicatingTail, open_deduplicated
from bookshelf.log.port import OutOfRange, Record
from bookshelf.runtime.aggregate.context import PartitionContext
from bookshelf.runtime.aggregate.snapshot import (
    UNSETTLED,
    AggregateSnapshot,
    DecodedEvent,
    SnapshotFold,
    spill,
)
from bookshelf.runtime.aggregate.state_cache import StateCache

#: Bytes that a pending event takes in memory beside its encoded record, estimated.
_EVENT_BYTES = 500


class PendingEvents:
    """Snapshots as of the log, with the owner's own pending events folded on top.

    Only the log determines a state: events of other writers are folded first, in its order, then those that
    are still pending.
    """

    def __init__(self, fold: SnapshotFold, states: StateCache) -> None:
        self._fold = fold
        self._states = states
        #: The pending events by key, oldest first.
        self._mine: dict[str, list[DecodedEvent]] = {}
        self._heads: dict[str, AggregateSnapshot[Any]] = {}
        #: Bytes of the pending events.
        self.pending_bytes = 0

    def head(self, key: str) -> AggregateSnapshot[Any]:
        """Return the snapshot of a loaded key with its pending events folded in."""
        mine = self._mine.get(key)
        if mine is None:
            return self._states.get(key)
        head = self._heads.get(key)
        if head is None:
            head, parent = self._states.get(key), self.parent(key)
            for event in mine:
                head = self._fold.after(head, event, parent)
            self._heads[key] = head
        return head

    def parent(self, key: str) -> AggregateSnapshot[Any] | None:
        """Return the snapshot of the parent of a loaded child's key; None for any other key."""
        parent = self._fold.parent_of(key)
        return None if parent is None else self._states.get(parent)

    def add(self, key: str, events: Sequence[DecodedEvent]) -> None:
        """Add new events of a key as pending."""
        head, parent = self.head(key), self.parent(key)
        for event in events:
            head = self._fold.after(head, event, parent)
        self._mine.setdefault(key, []).extend(events)
        self.pending_bytes += _bytes_of(events)
        self._heads[key] = head

    def newest_event(self, key: str) -> str:
        """Return the id of the newest pending event of a key; empty if it has none."""
        mine = self._mine.get(key, ())
        return next((decoded.envelope.id for decoded in reversed(mine) if decoded.event is not None), "")

    def settle(self, key: str, offsets: Mapping[str, int]) -> None:
        """Set the offsets, by event id, of those events of a key that are still pending."""
        mine = self._mine.get(key)
        if mine is None:
            return
        self._mine[key] = [
            DecodedEvent(
                decoded.envelope,
                decoded.event,
                offsets.get(decoded.envelope.id, decoded.offset),
                size=decoded.size,
            )
            for decoded in mine
        ]
        self._heads.pop(key, None)

    def concerned_by(self, records: Sequence[Record]) -> Sequence[Record]:
        """Return those of the records that can change a snapshot."""
        return [record for record in records if self._fold.concerns(record)]

    def read_back(self, record: Record) -> None:
        """Fold a record of the log into its loaded key; if it was pending, it is pending no more."""
        key = record.key
        parent = self.parent(key)
        snapshot, event_id = self._fold.apply(self._states.get(key), record, parent)
        snapshot, older = spill(snapshot)
        self._states.put(key, snapshot, len(record.value), record)
        if older:
            self._states.spill(key, older, snapshot.done[-1].at_ms)
        if self._fold.has_parents and parent is None:
            self._heads.clear()  # pending events of its children may have no effect any more
        mine = self._mine.get(key)
        if mine is None:
            return
        self._heads.pop(key, None)
        if mine[0].envelope.id == event_id:
            self.pending_bytes -= _bytes_of(mine[:1])
            del mine[0]
        if not mine:
            del self._mine[key]

    def drop_unsettled(self) -> None:
        """Remove the pending events without an offset: their append has certainly failed."""
        kept = {
            key: [event for event in mine if event.offset != UNSETTLED] for key, mine in self._mine.items()
        }
        self._mine = {key: mine for key, mine in kept.items() if mine}
        self.pending_bytes = sum(map(_bytes_of, self._mine.values()))
        self._heads.clear()

    def clear(self) -> None:
        """Remove all pending events: the log was read to its end, so the states have them or they failed."""
        self._mine.clear()
        self.pending_bytes = 0
        self._heads.clear()


def _bytes_of(events: Sequence[DecodedEvent]) -> int:
    return sum(event.size + _EVENT_BYTES for event in events)


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
            records = self._pending.concerned_by(await self._tail.take(_BATCH))
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
        await self.reach(await self._log.end(self._topic, self._partition))
        return self._folded > before

    async def catch_up_to(self, offset: int) -> None:
        """Return once every record before `offset` is folded; at once if that is past the end of the log."""
        if self._folded < offset <= await self._log.end(self._topic, self._partition):
            await self.reach(offset)

    async def reach(self, offset: int) -> None:
        """Return once every record before `offset` is folded, also those that are yet to come."""
        if self._folded < offset:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((offset, waiter))
            await waiter

    async def close(self) -> None:
        """Store the states, so that the next start continues from here."""
        await self.store()
        await self._states.close()
        await self._tail.close()
