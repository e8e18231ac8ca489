"""The host of a view: its live rows, their rebuild, its dead letters, and its queries."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from bookshelf.cqrs.position import Position
from bookshelf.cqrs.view import View
from bookshelf.log.port import Log
from bookshelf.runtime.telemetry import ViewMeters
from bookshelf.runtime.view.rows import Rows
from bookshelf.storage.port import Storage

#: Seconds that a query waits for the positions that its caller has seen.
PATIENCE_S = 2.0
#: Seconds between two words on how far a view has caught up at its start.
_TELL_S = 2.0
_logger = structlog.get_logger(__name__)


class Behind(Exception):
    """The view has not come to where the caller has been; it will, soon."""


class ViewHost:
    """Runs a view of one service instance."""

    def __init__(self, view: View, log: Log, storage: Storage, meters: ViewMeters) -> None:
        self.view = view
        self._log = log
        self._storage = storage
        self._meters = meters
        self._rebuilding = asyncio.Lock()
        self._generation = 0
        self._rows: Rows | None = None

    @property
    def revision(self) -> tuple[int, int]:
        """Grows with every change of what queries see."""
        return self._generation, self.rows.revision

    @property
    def rows(self) -> Rows:
        """The live rows; there are some from `start` on."""
        assert self._rows is not None  # noqa: S101 (a service serves only once it has started)
        return self._rows

    @property
    def fault(self) -> str | None:
        """What keeps this host from answering, if anything does."""
        return f"view {self.view.name} has no rows yet" if self._rows is None else None

    @property
    def warning(self) -> str | None:
        """What keeps the rows from moving on, if anything does: they still answer, with what they know."""
        return None if self._rows is None else self._rows.supervisor.fault

    async def start(self) -> None:
        """Follow the log; returns once everything that was in it at the start is in the rows."""
        self._rows = await self._begin(live=True)
        goal = await self._ends()
        reaching = asyncio.create_task(self._rows.reach(goal))
        try:
            while not (await asyncio.wait((reaching,), timeout=_TELL_S))[0]:
                done = sum(self._rows.applied.values())
                _logger.warning("catching-up", view=self.view.name, done=done, total=sum(goal.values()))
        finally:
            reaching.cancel()

    async def _begin(self, *, live: bool) -> Rows:
        open_ = self._storage.live if live else self._storage.beside
        rows = Rows(self.view, self._log, await open_(self.view, self._source()), self._meters)
        await rows.start()
        return rows

    def _source(self) -> str:
        return f"{self._log.identity}/{self.view.topic}"

    async def _ends(self) -> dict[int, int]:
        topic = self.view.topic
        return {p: await self._log.end(topic, p) for p in range(self._log.partitions(topic))}

    async def stop(self) -> None:
        """Follow no more, let queries end, let go of the rows."""
        if self._rows is not None:
            await self._rows.stop()
            await self._rows.tables.close()

    async def query(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 (whatever the query answers)
        """Run a query on the live rows. Raises `StorageFault`, or what the query raises."""
        return await self.rows.tables.read(work)

    async def after(self, positions: Iterable[Position]) -> None:
        """Wait until the records at these positions are in. Raises `Behind` after `PATIENCE_S`."""
        wanted: dict[int, int] = {}
        for place in positions:
            if place.topic == self.view.topic:
                wanted[place.partition] = max(wanted.get(place.partition, 0), place.offset + 1)
        if self.rows.reaches(wanted):
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.rows.reach(wanted)
        except TimeoutError:
            msg = f"{self.view.name} has not come to where you have been; try again in a moment"
            raise Behind(msg) from None

    async def rebuild(self, progress: Callable[[int, int], None]) -> None:
        """Make the rows anew beside the live ones, then swap; no query fails meanwhile.

        `progress(done, all)` counts records. The new rows are at least as far as the old when they go live.
        """
        async with self._rebuilding:
            new = await self._begin(live=False)
            try:
                await self._overtake(new, progress)
            except BaseException:
                await new.stop()
                raise
            former, self._rows = self.rows, new
            self._generation += 1
            await former.stop()
            await self._storage.swap(self.view, former.tables, new.tables)
            _logger.info("rebuilt", view=self.view.name)

    async def _overtake(self, new: Rows, progress: Callable[[int, int], None]) -> None:
        goal: Mapping[int, int] = await self._ends()
        total = sum(goal.values())
        while not (new.reaches(self.rows.applied) and new.reaches(goal)):
            seen = new.revision
            progress(sum(new.applied.values()), total)
            await new.moved_from(seen)
        progress(total, total)
