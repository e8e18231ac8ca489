"""Runs a view in one instance: applies the log, answers queries, waits for positions, rebuilds."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import structlog

from bookshelf.cqrs.position import Position
from bookshelf.cqrs.view import View
from bookshelf.log.port import Log, LogFault
from bookshelf.runtime.metrics import ViewMeters
from bookshelf.runtime.sealing import Seals
from bookshelf.runtime.view.generation import Generation
from bookshelf.runtime.view.rebuild import Generations
from bookshelf.storage.port import Storage, TableSetCorrupt, TableSetDropped

#: Seconds that a query waits until its view has the caller's positions.
PATIENCE_S = 2.0
#: Seconds between two log events on the progress of a view at its start.
_PROGRESS_S = 2.0
T = TypeVar("T")
_logger = structlog.get_logger(__name__)


class NotCaughtUp(Exception):
    """The view has not applied the caller's positions in time; a later query may succeed."""


class _SharedEnds:
    """Looks up the ends of the partitions; concurrent callers share one look-up.

    The log gets one look-up at a time, however many callers there are.
    """

    def __init__(self, ask: Callable[[], Awaitable[dict[int, int]]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[dict[int, int]] | None = None
        self._next: asyncio.Task[dict[int, int]] | None = None

    async def get(self) -> dict[int, int]:
        """Return the ends as of this call or later. Raises `LogFault`."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._asking))
            # fetches the exception, so that it counts as handled even if all callers were cancelled
            self._next.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._next)

    async def _after(self, former: "asyncio.Task[dict[int, int]] | None") -> dict[int, int]:
        if former is not None:
            await asyncio.wait({former})
        self._asking, self._next = self._next, None
        return await self._ask()


class ViewHost:
    """Runs one view of a service instance: start, queries, read-your-writes, rebuild."""

    def __init__(
        self,
        view: View,
        log: Log,
        storage: Storage,
        meters: ViewMeters,
        patience_s: float = PATIENCE_S,
        seals: Seals | None = None,
    ) -> None:
        self.view = view
        self._patience_s = patience_s
        #: True if other instances apply records to the same rows.
        self.shared = storage.shared
        self._generations = Generations(view, log, storage, meters, seals)
        self._ends = _SharedEnds(self._generations.ends)

    @property
    def revision(self) -> tuple[int, int]:
        """A number that grows with each known change of the view's rows; see `current`."""
        return self._generations.number, self.rows.revision

    @property
    def rows(self) -> Generation:
        """The live generation, from `start` on."""
        rows = self._generations.live
        assert rows is not None  # noqa: S101 (a service takes requests only once it has started)
        return rows

    @property
    def live(self) -> Generation | None:
        """The live generation; None before `start`."""
        return self._generations.live

    @property
    def fault(self) -> str | None:
        """Why this host cannot answer queries, or None."""
        rows = self._generations.live
        if rows is None:
            return f"view {self.view.name} has no rows yet"
        return rows.away or self._generations.broken

    @property
    def warning(self) -> str | None:
        """Why the view is not kept up to date, or None; queries are answered from the rows as they are."""
        rows = self._generations.live
        return None if rows is None else rows.fault or self._generations.fault

    async def start(self) -> None:
        """Apply the log; return once everything that was in it at the start is applied."""
        await self._generations.start()
        goal = await self._generations.ends()
        reaching = asyncio.create_task(self._reach(goal))
        try:
            while not (await asyncio.wait((reaching,), timeout=_PROGRESS_S))[0]:
                done = sum(self.rows.applied.values())
                _logger.warning("catching-up", view=self.view.name, done=done, total=sum(goal.values()))
        finally:
            reaching.cancel()
        await self.rows.tables.index()

    async def _reach(self, offsets: Mapping[int, int]) -> None:
        """Wait until all records before these offsets are applied, in whichever generation is live then."""
        while not self.rows.reaches(offsets):
            await self.rows.news()

    async def stop(self) -> None:
        """Stop applying records, wait for running queries, and close the tables."""
        await self._generations.stop()

    async def query(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 (whatever the query answers)
        """Run a query on the live generation. Raises `StorageFault`, or what the query raises."""
        return await self._ask(lambda rows: rows.tables.read(work))

    async def current(self) -> tuple[int, int]:
        """Return the revision now, with the changes of other instances. Raises `StorageFault`."""
        if self.shared:
            await self._ask(lambda rows: rows.refresh())
        return self.revision

    async def changed(self, revision: tuple[int, int] | None) -> None:
        """Return once the view has another revision. This hastens nothing: streams always wait."""
        while self.revision == revision:
            await self.rows.next_change()

    async def _ask(self, ask: Callable[[Generation], Awaitable[T]]) -> T:
        """Call `ask` with the live generation; if its tables are gone or damaged, with its successor."""
        rows = self.rows
        try:
            return await ask(rows)
        except (TableSetDropped, TableSetCorrupt) as gone:
            if isinstance(gone, TableSetCorrupt):
                rows.report_damage(gone)
            try:
                async with asyncio.timeout(self._patience_s):
                    rows = await self._generations.succeeded(rows)
            except TimeoutError:
                raise gone from None
            return await ask(rows)

    async def after(self, positions: Iterable[Position]) -> None:
        """Wait until the records at these positions are applied. Raises `NotCaughtUp` after a time."""
        wanted: dict[int, int] = {}
        for position in positions:
            if position.topic == self.view.topic:
                wanted[position.partition] = max(wanted.get(position.partition, 0), position.offset + 1)
        if self.shared and wanted:  # the database may have been set back since its last read
            await self._ask(lambda rows: rows.refresh())
        if self.rows.reaches(wanted):
            return
        ends = await self._ends.get()
        # a position past the end belongs to another log, as after a restore: waiting for it is useless
        goal = {partition: offset for partition, offset in wanted.items() if offset <= ends.get(partition, 0)}
        try:
            async with asyncio.timeout(self._patience_s):
                await self._reach(goal)
        except TimeoutError:
            msg = f"{self.view.name} has not applied your positions yet; try again in a moment"
            raise NotCaughtUp(msg) from None

    async def reach_end(self) -> None:
        """Wait until everything that is in the log now is applied. Raises `NotCaughtUp`, `LogFault`."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._reach(await self._ends.get())
        except TimeoutError:
            msg = f"{self.view.name} has not applied the whole log yet; try again in a moment"
            raise NotCaughtUp(msg) from None

    async def read_on(self) -> None:
        """Wait until everything that is in the log now is applied. Raises `NotCaughtUp`.

        If the log does not answer, return at once: the rows are then the best answer there is.
        """
        try:
            await self.reach_end()
        except LogFault:
            return

    async def rebuild(self, progress: Callable[[int, int], None]) -> None:
        """Build a new generation beside the live one, then swap; queries are answered all the time.

        `progress(done, all)` counts records. The new generation has caught up with the live one at the swap.
        """
        await self._generations.rebuild(progress)
