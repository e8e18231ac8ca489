"""The host of a view: its live rows, their rebuild, and its queries."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import structlog

from bookshelf.cqrs.position import Position
from bookshelf.cqrs.view import View
from bookshelf.log.port import Log, LogFault
from bookshelf.runtime.metrics import ViewMeters
from bookshelf.runtime.view.generation import Generation
from bookshelf.runtime.view.rebuild import Generations
from bookshelf.storage.port import Storage, TableSetCorrupt, TableSetDropped

#: Seconds that a query waits for the positions that its caller has seen.
PATIENCE_S = 2.0
#: Seconds between two words on how far a view has caught up at its start.
_TELL_S = 2.0
T = TypeVar("T")
_logger = structlog.get_logger(__name__)


class NotCaughtUp(Exception):
    """The view has not come to where the caller has been; it will, soon."""


class _SharedEnds:
    """Asks for the ends of the partitions; requests that wait at the same time share one answer.

    However many requests there are, the log gets one question after the other.
    """

    def __init__(self, ask: Callable[[], Awaitable[dict[int, int]]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[dict[int, int]] | None = None
        self._next: asyncio.Task[dict[int, int]] | None = None

    async def get(self) -> dict[int, int]:
        """Return ends that were asked for after this was called. Raises `LogFault`."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._asking))
            # all who wait may have gone by the time that it fails
            self._next.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._next)

    async def _after(self, former: "asyncio.Task[dict[int, int]] | None") -> dict[int, int]:
        if former is not None:
            await asyncio.wait({former})
        self._asking, self._next = self._next, None
        return await self._ask()


class ViewHost:
    """Runs a view of one service instance."""

    def __init__(
        self, view: View, log: Log, storage: Storage, meters: ViewMeters, patience_s: float = PATIENCE_S
    ) -> None:
        self.view = view
        self._patience_s = patience_s
        self._shared = storage.shared
        self._generations = Generations(view, log, storage, meters)
        self._ends = _SharedEnds(self._generations.ends)

    @property
    def revision(self) -> tuple[int, int]:
        """Grows with every change of what queries see that is known of; see `current`."""
        return self._generations.number, self.rows.revision

    @property
    def rows(self) -> Generation:
        """The live rows; there are some from `start` on."""
        rows = self._generations.live
        assert rows is not None  # noqa: S101 (a service serves only once it has started)
        return rows

    @property
    def live(self) -> Generation | None:
        """The live rows; None before `start`."""
        return self._generations.live

    @property
    def fault(self) -> str | None:
        """What keeps this host from answering, if anything does."""
        rows = self._generations.live
        if rows is None:
            return f"view {self.view.name} has no rows yet"
        return rows.away or self._generations.broken

    @property
    def warning(self) -> str | None:
        """What keeps the rows from moving on, if anything does: they still answer, with what they know."""
        rows = self._generations.live
        return None if rows is None else rows.fault or self._generations.fault

    async def start(self) -> None:
        """Follow the log; returns once everything that was in it at the start is in the rows."""
        await self._generations.start()
        goal = await self._generations.ends()
        reaching = asyncio.create_task(self._reach(goal))
        try:
            while not (await asyncio.wait((reaching,), timeout=_TELL_S))[0]:
                done = sum(self.rows.applied.values())
                _logger.warning("catching-up", view=self.view.name, done=done, total=sum(goal.values()))
        finally:
            reaching.cancel()

    async def _reach(self, offsets: Mapping[int, int]) -> None:
        """Return once all before these offsets is in the rows, whichever are live by then."""
        while not self.rows.reaches(offsets):
            await self.rows.news()

    async def stop(self) -> None:
        """Follow no more, let queries end, let go of the rows."""
        await self._generations.stop()

    async def query(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 (whatever the query answers)
        """Run a query on the live rows. Raises `StorageFault`, or what the query raises."""
        return await self._ask(lambda rows: rows.tables.read(work))

    async def current(self) -> tuple[int, int]:
        """Return the revision of what queries see now, whoever has changed it. Raises `StorageFault`."""
        if self._shared:
            await self._ask(lambda rows: rows.refresh())
        return self.revision

    async def _ask(self, ask: Callable[[Generation], Awaitable[T]]) -> T:
        """Ask the live rows; if they were dropped, or are damaged, those that have taken their place."""
        rows = self.rows
        try:
            return await ask(rows)
        except (TableSetDropped, TableSetCorrupt) as gone:
            if isinstance(gone, TableSetCorrupt):
                rows.spoilt(gone)
            try:
                async with asyncio.timeout(self._patience_s):
                    rows = await self._generations.succeeded(rows)
            except TimeoutError:
                raise gone from None
            return await ask(rows)

    async def after(self, positions: Iterable[Position]) -> None:
        """Wait until the records at these positions are in. Raises `NotCaughtUp` at last."""
        wanted: dict[int, int] = {}
        for place in positions:
            if place.topic == self.view.topic:
                wanted[place.partition] = max(wanted.get(place.partition, 0), place.offset + 1)
        if self._shared and wanted:  # the database may have been set back since it was looked at last
            await self._ask(lambda rows: rows.refresh())
        if self.rows.reaches(wanted):
            return
        ends = await self._ends.get()
        # a place past the end is of another log, like one that was restored since: nothing comes there
        there = {
            partition: offset for partition, offset in wanted.items() if offset <= ends.get(partition, 0)
        }
        try:
            async with asyncio.timeout(self._patience_s):
                await self._reach(there)
        except TimeoutError:
            msg = f"{self.view.name} has not come to where you have been; try again in a moment"
            raise NotCaughtUp(msg) from None

    async def read_on(self) -> None:
        """Wait until everything that is in the log now is in the rows. Raises `NotCaughtUp`.

        A log that does not answer has nothing to read on to: the rows are all that is known.
        """
        try:
            async with asyncio.timeout(self._patience_s):
                await self._reach(await self._ends.get())
        except LogFault:
            return
        except TimeoutError:
            msg = f"{self.view.name} has not applied the whole log yet; try again in a moment"
            raise NotCaughtUp(msg) from None

    async def rebuild(self, progress: Callable[[int, int], None]) -> None:
        """Make the rows anew beside the live ones, then swap; no query fails meanwhile.

        `progress(done, all)` counts records. The new rows are at least as far as the old when they go live.
        """
        await self._generations.rebuild(progress)
