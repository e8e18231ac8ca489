"""One generation of a view's tables: how far it has applied the log, and the tasks that apply it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import structlog

from bookshelf.cqrs.envelope import DROPPED
from bookshelf.cqrs.view import View
from bookshelf.log.deduplicated import DeduplicatingTail, open_deduplicated
from bookshelf.log.port import Log, LogFault, Membership, OutOfRange
from bookshelf.runtime.metrics import ViewMeters
from bookshelf.runtime.sealing import Opener, Seals, is_sealed
from bookshelf.runtime.supervisor import Supervisor
from bookshelf.runtime.view.apply import apply
from bookshelf.storage import checkpoints
from bookshelf.storage.checkpoints import Superseded
from bookshelf.storage.port import StorageFault, TableSet, TableSetCorrupt, TableSetDropped

#: Seconds between two reads of shared checkpoints while a query waits for them.
_POLL_S = 0.01
#: The most records in one transaction.
_BATCH = 500
#: A view pauses after a batch for so many times as long as the batch took, but no longer than `_PAUSE_S`.
_PAUSES = 4
_PAUSE_S = 0.25
#: Seconds between two reads of shared checkpoints while no query waits for them.
_LOOK_S = 1.0
_logger = structlog.get_logger(__name__)


class Gap(LogFault):
    """The log lacks the records after the checkpoint: the view must be rebuilt."""


class Generation:
    """Applies the log to one table set: all partitions, or if it is shared those that its group assigns.

    The consumer group has the name of the table set, so that during a rebuild the new set has one member.
    `revision` grows with each known change of the rows. `shared`: other instances apply records to the same
    tables as well, and may replace the set. `gap` is set when this generation becomes `broken`: then only a
    rebuild from the log can replace it.
    """

    def __init__(  # noqa: PLR0913 (its ports)
        self,
        view: View,
        log: Log,
        tables: TableSet,
        meters: ViewMeters,
        gap: asyncio.Event,
        *,
        shared: bool = False,
        seals: Seals | None = None,
    ) -> None:
        self.view = view
        self._seals = seals or Seals()
        #: The mark of the keys that were destroyed before the rows were made; see `Seals.erasure`.
        self.erasure = ""
        self.tables = tables
        self.shared = shared
        self.revision = 0
        self.applied: dict[int, int] = {}
        #: The mark of the last applied record by partition: a digest that identifies it.
        self.marks: dict[int, str] = {}
        #: Set once another generation has taken the place of this one.
        self.superseded = asyncio.Event()
        #: Set by each call that waits for rows to be applied.
        self.wanted = asyncio.Event()
        #: Why the shared checkpoints cannot be read; None if they can.
        self.away: str | None = None
        self._meters = meters
        self._edits = 0
        self._moved = asyncio.Event()
        self._log, self._gap = log, gap
        self._supervisors: dict[int, Supervisor] = {}
        self._following: dict[int, asyncio.Task[None]] = {}
        #: Partitions whose checkpoint has not been compared with the log since the start.
        self._not_compared: set[int] = set()
        #: The checkpoint that each following task continues from.
        self._at: dict[int, int] = {}
        self.broken = False
        self._looking: asyncio.Task[None] | None = None
        self._membership: Membership | None = None

    @property
    def fault(self) -> str | None:
        """Why records are not applied here, or None."""
        faults = (supervisor.fault for supervisor in self._supervisors.values())
        return next((fault for fault in faults if fault is not None), None)

    @property
    def followed(self) -> frozenset[int]:
        """The partitions whose records this instance applies."""
        return frozenset(self._following)

    async def start(self) -> None:
        """Read the checkpoints and apply the log from there on.

        Raises `StorageFault`, `LogFault`, `KeyringFault`.
        """
        topic = self.view.topic
        every = frozenset(range(self._log.partitions(topic)))
        self.applied = dict.fromkeys(every, 0)
        if self.view.opens:
            await self._note_erasure(await self._seals.refresh())
        await self.refresh()
        if self.shared:
            self._looking = asyncio.create_task(self._look_on())
            self._membership = await self._log.join(self.tables.name, topic, self._assigned, self._revoked)
        else:
            await self._assigned(every)
        self._not_compared = {partition for partition in self._following if partition not in self._at}

    def reaches(self, offsets: Mapping[int, int]) -> bool:
        """Return True if all records before these offsets are applied, and the checkpoints match the log."""
        return self._not_compared.isdisjoint(offsets) and all(
            self.applied.get(partition, 0) >= offset for partition, offset in offsets.items()
        )

    async def stop(self) -> None:
        """Stop applying records; the rows stay as they are."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._membership is not None:
            await self._membership.leave()
        await self._revoked(frozenset(self._following))
        self.changed()  # waiting calls turn to the generation that is live now

    async def refresh(self) -> None:
        """Read the checkpoints, as of this call or later. Raises `StorageFault`, `TableSetDropped`."""
        before = dict(self.applied)
        try:
            stored = await self.tables.look()
        except StorageFault as fault:
            self.away = str(fault) if self.shared else None
            if isinstance(fault, TableSetDropped):
                self.superseded.set()
            raise
        self.away = None
        if stored.former:
            self.superseded.set()
        edited, self._edits = stored.edits != self._edits, stored.edits
        partitions = self.applied.keys() | stored.applied.keys()
        moved = [self._take_over(p, stored.applied.get(p, 0), before.get(p, 0)) for p in partitions]
        for partition, mark in stored.marks.items():
            if stored.applied[partition] == self.applied[partition]:
                self.marks[partition] = mark
        if edited or any(moved):
            self.changed()

    def _take_over(self, partition: int, offset: int, before: int) -> bool:
        """Take over a stored checkpoint; return True if it differs from the known one.

        A lower one is taken over only if the known one did not move meanwhile: the database was set back.
        """
        known = self.applied.get(partition, 0)
        if offset == known or (offset < known and known != before):
            return False
        self.applied[partition] = offset
        self._meters.applied(partition, offset, 0)
        return True

    def changed(self) -> None:
        """Wake all calls that wait for the rows to change."""
        self.revision += 1
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def reach(self, offsets: Mapping[int, int]) -> None:
        """Wait until all records before these offsets, by partition, are applied."""
        while not self.reaches(offsets):
            await self.news()

    async def next_change(self) -> None:
        """Wait until the rows have changed, without asking for it: shared rows are read once a second."""
        await self._moved.wait()

    async def news(self) -> None:
        """Wait until the rows may have changed."""
        self.wanted.set()
        moved = self._moved
        if not self.shared:
            await moved.wait()
            return
        try:
            async with asyncio.timeout(_POLL_S):
                await moved.wait()
        except TimeoutError:
            with suppress(StorageFault):  # `away` has the reason; the waiting query has a deadline
                await self.refresh()

    def report_damage(self, fault: TableSetCorrupt) -> None:
        """Have this generation rebuilt, because its tables are damaged."""
        if not self.broken:
            _logger.error("rows-damaged", view=self.view.name, why=str(fault))
        self._break()

    async def _note_erasure(self, now: str) -> None:
        """Read which keys were destroyed before the rows were made; without rows, those of now."""
        stored = await self.tables.read(checkpoints.erasure)
        if stored is None and now:
            await self.tables.write(partial(checkpoints.note_erasure, mark=now))
        self.erasure = now if stored is None else stored

    def report_erasure(self) -> None:
        """Have this generation rebuilt, because its tables may have texts whose keys were destroyed."""
        _logger.info("rows-outdated", view=self.view.name, why="keys of sealed texts were destroyed")
        self._break()

    async def opener(self, values: Sequence[bytes]) -> Opener | None:
        """Return what opens the events of these records; None if nothing is sealed. Raises `KeyringFault`.

        A record that gives up another one has those applied that waited for it.
        """
        if not self.view.opens:
            return None
        if any(DROPPED.encode() in value for value in values):
            values = [*values, *(row.value for row in await self.tables.read(checkpoints.read_dead_letters))]
        return await self._seals.opener(values) if any(map(is_sealed, values)) else None

    def _break(self) -> None:
        self.broken = True
        self._gap.set()
        self.changed()

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            with suppress(StorageFault):  # `away` has the reason
                await self.refresh()
                await self._follow_again()

    async def _follow_again(self) -> None:
        """Restart the tasks whose checkpoint was set back by a database that lost its last commits."""
        for partition, task in list(self._following.items()):
            if self.applied[partition] < self._at.get(partition, 0):
                task.cancel()
                await asyncio.wait({task})
                if self._following.get(partition) is task:
                    self._following[partition] = asyncio.create_task(self._keep(partition))

    async def _assigned(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            self._supervisors[partition] = Supervisor(f"view {self.view.name}, partition {partition}")
            self._following[partition] = asyncio.create_task(self._keep(partition))

    async def _revoked(self, partitions: frozenset[int]) -> None:
        tasks = [self._following.pop(partition) for partition in partitions]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._not_compared -= partitions
        for partition in partitions:
            del self._supervisors[partition]

    async def _keep(self, partition: int) -> None:
        async def follow() -> None:
            while True:
                await self._follow(partition)

        await self._supervisors[partition].keep(follow)

    async def _follow(self, partition: int) -> None:
        """Apply a partition from its checkpoint on; return when another instance has moved the checkpoint."""
        if self.shared:
            await self.refresh()
        self._at[partition] = self.applied[partition]
        tail = await self._tail(partition)
        if partition in self._not_compared:
            self._not_compared.discard(partition)
            self.changed()
        try:
            await self._take(partition, tail)
        finally:
            await tail.close()

    async def _tail(self, partition: int) -> DeduplicatingTail:
        topic, at = self.view.topic, self._at[partition]
        try:
            return await self._compared(partition, at)
        except OutOfRange as fault:
            start = await self._log.start(topic, partition)
            if at > 0:
                # also past the end of the log: if it was set back, the rows have records that it lost
                self._break()
                where = {"view": self.view.name, "partition": partition}
                _logger.error("rows-rebuilt", **where, why=str(fault))  # noqa: TRY400 (no defect)
                raise Gap(f"{fault}; the rows are rebuilt from what the log has") from fault
            # nothing of this partition is applied yet: begin with the first record that the log still has
            _logger.error("gap", view=self.view.name, why=str(fault), begins_at=start)  # noqa: TRY400 (no defect)
            await self.tables.write(lambda db: apply(db, self.view, (), (partition, 0, start, "")))
            self._advanced(partition, start, 0, "")
            return await open_deduplicated(self._log, topic, partition, start)

    async def _compared(self, partition: int, at: int) -> DeduplicatingTail:
        """Read on from a checkpoint after comparing its mark with the log. Raises `OutOfRange`."""
        mark = self.marks.get(partition, "")
        tail = await open_deduplicated(self._log, self.view.topic, partition, at, mark)
        if tail.mark and not mark:
            self.marks[partition] = tail.mark
            await self.tables.write(lambda db: checkpoints.fill(db, partition, at, tail.mark))
        return tail

    async def _take(self, partition: int, tail: DeduplicatingTail) -> None:
        time = asyncio.get_running_loop().time
        while True:
            old = tail.position
            records = await tail.take(_BATCH)
            began = time()
            move = (partition, old, tail.position, tail.mark)
            try:
                opener = await self.opener([record.value for record in records])
                dead_letters = await self.tables.write(
                    lambda db: apply(db, self.view, records, move, opener)  # noqa: B023 (awaited here)
                )
            except TableSetCorrupt as fault:
                self.report_damage(fault)
                raise
            except Superseded:
                await self.refresh()
                if self.applied[partition] == old:
                    raise
                return
            self._advanced(partition, tail.position, dead_letters, tail.mark)
            await self._pause(pause_s(len(records), time() - began))

    def _advanced(self, partition: int, offset: int, dead_letters: int, mark: str) -> None:
        self._at[partition] = offset
        self.marks[partition] = mark
        self.applied[partition] = offset
        self._meters.applied(partition, offset, dead_letters)
        self.changed()
        self._supervisors[partition].note_progress()
        if dead_letters:
            _logger.error(
                "dead-letters-added", view=self.view.name, records=dead_letters, see="bookshelf dlq list"
            )

    async def _pause(self, seconds: float) -> None:
        """Wait, but not while a call waits for rows to be applied."""
        if not seconds:
            return
        self.wanted.clear()  # the last batch has woken all waiting calls; those that still wait set it again
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wanted.wait()


def pause_s(records: int, took_s: float) -> float:
    """Return the seconds to wait after a batch, so that the next one has more records at the same fixed cost.

    On a busy machine batches take longer and so become larger, and commands get the processor meanwhile. A
    full batch is followed by the next one at once: there may be many more records.
    """
    return 0.0 if records >= _BATCH else min(_PAUSES * took_s, _PAUSE_S)
