"""One generation of a view's rows: follows every partition, and tells who waits how far it is."""

import asyncio
from collections.abc import Mapping

import structlog

from bookshelf.cqrs.view import View
from bookshelf.log.port import Log, OutOfRange
from bookshelf.runtime.supervisor import Supervisor
from bookshelf.runtime.telemetry import ViewMeters
from bookshelf.runtime.view.apply import apply
from bookshelf.storage.ledger import Superseded, checkpoints
from bookshelf.storage.port import TableSet

#: Records in one transaction at the most.
_BATCH = 500
_logger = structlog.get_logger(__name__)


class Gap(Exception):
    """The log no longer reaches back to the checkpoint: the rows must be rebuilt."""


class Rows:
    """A table set that is kept up with the log. `revision` grows with every change of the rows."""

    def __init__(self, view: View, log: Log, tables: TableSet, meters: ViewMeters) -> None:
        self.view = view
        self.tables = tables
        self.revision = 0
        self.applied: dict[int, int] = {}
        self.supervisor = Supervisor(f"view {view.name}")
        self._log = log
        self._meters = meters
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Read how far the rows are, and follow on from there."""
        await self.refresh()
        for partition in range(self._log.partitions(self.view.topic)):
            self.applied.setdefault(partition, 0)
            self._tasks.append(asyncio.create_task(self._keep(partition)))

    async def refresh(self) -> None:
        """Read the checkpoints from the rows themselves."""
        self.applied.update(await self.tables.read(checkpoints))
        self.changed()

    async def stop(self) -> None:
        """Follow no more; what is in stays in."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def changed(self) -> None:
        """Wake everyone who waits for the rows to move."""
        self.revision += 1
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def reach(self, offsets: Mapping[int, int]) -> None:
        """Return once everything before these offsets, by partition, is in."""
        while not self.reaches(offsets):
            await self._moved.wait()

    async def moved_from(self, revision: int) -> None:
        """Return once `revision` is no longer this."""
        while self.revision == revision:
            await self._moved.wait()

    def reaches(self, offsets: Mapping[int, int]) -> bool:
        """Whether everything before these offsets, by partition, is in."""
        return all(self.applied.get(partition, 0) >= offset for partition, offset in offsets.items())

    async def _keep(self, partition: int) -> None:
        await self.supervisor.keep(lambda: self._follow(partition))

    async def _follow(self, partition: int) -> None:
        try:
            tail = await self._log.tail(self.view.topic, partition, self.applied[partition])
        except OutOfRange as fault:
            msg = f"{fault}; run `bookshelf views rebuild {self.view.name}`"
            raise Gap(msg) from fault
        while True:
            old = tail.position
            records = await tail.take(_BATCH)
            move = (partition, old, tail.position)
            try:
                parked = await self.tables.write(lambda db: apply(db, self.view, records, move))  # noqa: B023
            except Superseded:
                await self.refresh()
                raise
            self._advance(partition, tail.position, parked)

    def _advance(self, partition: int, offset: int, parked: int) -> None:
        self.applied[partition] = offset
        self.supervisor.well()
        self._meters.applied(partition, offset, parked)
        self.changed()
        if parked:
            _logger.error("parked", view=self.view.name, records=parked, see="bookshelf dlq list")
