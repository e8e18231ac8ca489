"""Which rows of a view are live here, and how newer ones, made here or elsewhere, take their place."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from bookshelf.cqrs.view import View
from bookshelf.log.port import Log
from bookshelf.runtime.metrics import ViewMeters
from bookshelf.runtime.supervisor import Supervisor
from bookshelf.runtime.view.generation import Generation
from bookshelf.storage.port import Storage, StorageFault, TableSetDropped

_logger = structlog.get_logger(__name__)


class Generations:
    """The rows of a view, one generation after the other. `number` counts those that were live here."""

    def __init__(self, view: View, log: Log, storage: Storage, meters: ViewMeters) -> None:
        self.number = 0
        self._view = view
        self._log = log
        self._storage = storage
        self._meters = meters
        self._turn = asyncio.Lock()
        self._live: Generation | None = None
        self._supervisor = Supervisor(f"generations of {view.name}")
        self._mending = Supervisor(f"mending of {view.name}")
        self._gap = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._replaced = asyncio.Event()

    @property
    def live(self) -> Generation | None:
        """The rows that queries see; none before `start`."""
        return self._live

    @property
    def fault(self) -> str | None:
        """What keeps this instance from going over to rows that are live elsewhere, if anything does."""
        return self._supervisor.fault

    @property
    def broken(self) -> str | None:
        """Why the live rows could not be made anew although they have to be, if so; it is tried again."""
        return self._mending.fault if self._live is not None and self._live.broken else None

    async def start(self) -> None:
        """Open the live set and follow the log; wait for another if it tells of what is not in the log.

        Raises `StorageFault`, `LogFault`.
        """
        self._live = await self._open(live=True)
        self._tasks.append(asyncio.create_task(self._mending.keep(self._mend)))
        if self._storage.shared:
            self._tasks.append(asyncio.create_task(self._supervisor.keep(self._watch)))
        replaced = self._replaced
        if await self._past_the_end(self._live):
            await replaced.wait()

    async def stop(self) -> None:
        """Follow no more, let queries end, let go of the rows."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._live is not None:
            await _let_go(self._live)

    async def ends(self) -> dict[int, int]:
        """Return the end of each partition."""
        topic = self._view.topic
        partitions = range(self._log.partitions(topic))
        offsets = await asyncio.gather(*(self._log.end(topic, p) for p in partitions))
        return dict(zip(partitions, offsets, strict=True))

    async def rebuild(self, progress: Callable[[int, int], None]) -> None:
        """Make the rows anew beside the live ones, then swap. `progress(done, all)` counts records."""
        async with self._turn:
            goal = await self.ends()
            total = sum(goal.values())

            def told(new: Generation) -> bool:
                reached = new.reaches(goal)
                progress(total if reached else sum(new.applied.values()), total)
                return reached

            new = await self._open(live=False)
            former = await self._overtaken(new, told)
            await self._swap(former, new)
            _logger.info("rebuilt", view=self._view.name)

    async def _swap(self, former: Generation, new: Generation) -> None:
        self._replace(new)
        await former.stop()
        try:
            await self._storage.swap(self._view, former.tables, new.tables)
        except StorageFault:
            new.superseded.set()  # whichever is the live one now, it is gone over to
            raise

    async def succeeded(self, former: Generation) -> Generation:
        """Return the live rows, once they are others than these."""
        former.superseded.set()
        while self._live is former or self._live is None:
            replaced = self._replaced
            await replaced.wait()
        return self._live

    async def _mend(self) -> None:
        """Make the rows anew whenever the live ones are broken; after a fault this begins again."""
        while True:
            while self._live is not None and self._live.broken:
                await self.rebuild(lambda _done, _total: None)
            self._mending.well()
            await self._gap.wait()
            self._gap.clear()

    async def _watch(self) -> None:
        """Go over to the set that another instance has swapped in, whenever one does."""
        while True:
            rows = self._live
            assert rows is not None  # noqa: S101 (it is watched from the start on)
            await rows.superseded.wait()
            async with self._turn:
                if rows is self._live:
                    await self._go_over()

    async def _go_over(self) -> None:
        new = await self._open(live=True)
        former = await self._overtaken(new, lambda _: True)
        self._replace(new)
        self._supervisor.well()
        await _let_go(former)
        _logger.info("rows-switched", view=self._view.name, set=new.tables.name)

    async def _open(self, *, live: bool) -> Generation:
        source = f"{self._log.identity}/{self._view.topic}"
        opened = self._storage.live if live else self._storage.beside
        tables = await opened(self._view, source)
        shared = self._storage.shared
        rows = Generation(self._view, self._log, tables, self._meters, self._gap, shared=shared)
        try:
            await rows.start()
        except BaseException:
            await _let_go(rows)
            raise
        return rows

    async def _overtaken(self, new: Generation, ready: Callable[[Generation], bool]) -> Generation:
        """Return the live rows once the new ones are `ready` and as far: no answer goes back in time."""
        former = self._live
        assert former is not None  # noqa: S101 (there is something to overtake from the start on)
        try:
            untrue = await self._past_the_end(former)
            while not await self._as_far(new, former, ready, untrue):
                await new.news()
        except BaseException:
            await _let_go(new)
            raise
        return former

    async def _as_far(
        self, new: Generation, former: Generation, ready: Callable[[Generation], bool], untrue: set[int]
    ) -> bool:
        if new.superseded.is_set():
            msg = f"the new rows of {self._view.name} were superseded before they went live"
            raise TableSetDropped(msg)
        if new.broken:
            msg = f"the new rows of {self._view.name} broke before they went live: {new.fault}"
            raise StorageFault(msg)
        if former.shared:
            with suppress(StorageFault):  # they may be gone, and what was seen of them still counts
                await former.refresh()
        there = {p: offset for p, offset in former.applied.items() if p not in untrue}
        return ready(new) and new.reaches(there)

    async def _past_the_end(self, rows: Generation) -> set[int]:
        """Return the partitions of which there is more in the rows than in the log: it was set back."""
        applied = dict(rows.applied)
        ends = await self.ends()
        return {p for p, offset in applied.items() if offset > ends[p]}

    def _replace(self, new: Generation) -> None:
        if self._live is not None:
            self._live.superseded.set()  # whoever watches it watches the new one
        self._live = new
        self.number += 1
        replaced, self._replaced = self._replaced, asyncio.Event()
        replaced.set()


async def _let_go(rows: Generation) -> None:
    await rows.stop()
    await rows.tables.close()
