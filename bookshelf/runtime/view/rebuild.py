"""Keeps the live generation of a view, rebuilds it, and swaps in a newer one made here or elsewhere."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from bookshelf.concurrency import first_of
from bookshelf.cqrs.view import View
from bookshelf.log.port import Log
from bookshelf.runtime.metrics import ViewMeters
from bookshelf.runtime.sealing import Seals
from bookshelf.runtime.supervisor import Supervisor
from bookshelf.runtime.view.generation import Generation
from bookshelf.storage.port import Storage, StorageFault, TableSetDropped

_logger = structlog.get_logger(__name__)


class Generations:
    """The generations of a view, of which one is live. `number` counts those that were live here."""

    def __init__(
        self, view: View, log: Log, storage: Storage, meters: ViewMeters, seals: Seals | None = None
    ) -> None:
        self._seals = seals or Seals()
        self.number = 0
        self._view = view
        self._log = log
        self._storage = storage
        self._meters = meters
        self._turn = asyncio.Lock()
        self._live: Generation | None = None
        self._supervisor = Supervisor(f"generations of {view.name}")
        self._erasing = Supervisor(f"erasure in {view.name}")
        self._repair = Supervisor(f"repair of {view.name}")
        self._gap = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._replaced = asyncio.Event()

    @property
    def live(self) -> Generation | None:
        """The generation that queries read; None before `start`."""
        return self._live

    @property
    def fault(self) -> str | None:
        """Why this instance cannot switch to the generation that is live elsewhere, or None."""
        return self._supervisor.fault

    @property
    def broken(self) -> str | None:
        """Why the rebuild of a broken live generation fails, or None; it is tried again."""
        return self._repair.fault if self._live is not None and self._live.broken else None

    async def start(self) -> None:
        """Open the live generation and apply the log to it. Raises `StorageFault`, `LogFault`.

        If it has records that the log lacks, wait until another generation has replaced it.
        """
        self._live = await self._open(live=True)
        self._tasks.append(asyncio.create_task(self._repair.keep(self._rebuild_broken)))
        if self._view.opens:
            self._tasks.append(asyncio.create_task(self._erasing.keep(self._watch_erasures)))
        if self._storage.shared:
            self._tasks.append(asyncio.create_task(self._supervisor.keep(self._watch)))
        replaced = self._replaced
        if await self._past_the_end(self._live):
            await replaced.wait()

    async def stop(self) -> None:
        """Stop applying records, wait for running queries, and close the tables."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._live is not None:
            await _close(self._live)

    async def ends(self) -> dict[int, int]:
        """Return the end of each partition of the view's topic. Raises `LogFault`."""
        topic = self._view.topic
        partitions = range(self._log.partitions(topic))
        offsets = await asyncio.gather(*(self._log.end(topic, p) for p in partitions))
        return dict(zip(partitions, offsets, strict=True))

    async def rebuild(self, progress: Callable[[int, int], None]) -> None:
        """Build a new generation beside the live one, then swap. `progress(done, all)` counts records."""
        async with self._turn:
            goal = await self.ends()
            total = sum(goal.values())

            def has_reached_goal(new: Generation) -> bool:
                reached = new.reaches(goal)
                progress(total if reached else sum(new.applied.values()), total)
                return reached

            new = await self._open(live=False)
            former = await self._overtaken(new, has_reached_goal)
            await self._swap(former, new)
            _logger.info("rebuilt", view=self._view.name)

    async def _swap(self, former: Generation, new: Generation) -> None:
        self._replace(new)
        await former.stop()
        try:
            await self._storage.swap(self._view, former.tables, new.tables)
        except StorageFault:
            new.superseded.set()  # the swap may have happened or not: switch to the one that is live now
            raise

    async def succeeded(self, former: Generation) -> Generation:
        """Wait until another generation than `former` is live, and return it."""
        former.superseded.set()
        while self._live is former or self._live is None:
            replaced = self._replaced
            await replaced.wait()
        return self._live

    async def _rebuild_broken(self) -> None:
        """Rebuild the view whenever its live generation is broken; after a fault this begins again."""
        while True:
            while self._live is not None and self._live.broken:
                await self.rebuild(lambda _done, _total: None)
            self._repair.note_progress()
            await self._gap.wait()
            self._gap.clear()

    async def _watch(self) -> None:
        """Switch to the generation that another instance has swapped in, whenever one does."""
        while True:
            rows = self._live
            assert rows is not None  # noqa: S101 (`start` has set it)
            await rows.superseded.wait()
            async with self._turn:
                if rows is self._live:
                    await self._switch()

    async def _watch_erasures(self) -> None:
        """Have the live generation rebuilt whenever keys were destroyed whose texts it may have."""
        while True:
            rows, replaced = self._live, self._replaced
            assert rows is not None  # noqa: S101 (`start` has set it)
            await first_of((self._seals.erased(rows.erasure), replaced.wait()))
            if rows is self._live:
                rows.report_erasure()
                await replaced.wait()

    async def _switch(self) -> None:
        new = await self._open(live=True)
        former = await self._overtaken(new, lambda _: True)
        self._replace(new)
        self._supervisor.note_progress()
        await _close(former)
        _logger.info("rows-switched", view=self._view.name, set=new.tables.name)

    async def _open(self, *, live: bool) -> Generation:
        source = f"{self._log.identity}/{self._view.topic}"
        opened = self._storage.live if live else self._storage.beside
        tables = await opened(self._view, source)
        shared = self._storage.shared
        rows = Generation(
            self._view, self._log, tables, self._meters, self._gap, shared=shared, seals=self._seals
        )
        try:
            await rows.start()
        except BaseException:
            await _close(rows)
            raise
        return rows

    async def _overtaken(self, new: Generation, ready: Callable[[Generation], bool]) -> Generation:
        """Wait until the new generation is `ready` and has caught up with the live one; return the latter.

        After a swap, no query then sees older data than before.
        """
        former = self._live
        assert former is not None  # noqa: S101 (`start` has set it)
        try:
            past_the_end = await self._past_the_end(former)
            while not await self._as_far(new, former, ready, past_the_end):
                await new.news()
            await new.tables.index()
            while not await self._as_far(new, former, ready, past_the_end):
                await new.news()
        except BaseException:
            await _close(new)
            raise
        return former

    async def _as_far(
        self, new: Generation, former: Generation, ready: Callable[[Generation], bool], past_the_end: set[int]
    ) -> bool:
        if new.superseded.is_set():
            msg = f"the new rows of {self._view.name} were superseded before they went live"
            raise TableSetDropped(msg)
        if new.broken:
            msg = f"the new rows of {self._view.name} broke before they went live: {new.fault}"
            raise StorageFault(msg)
        if former.shared:
            with suppress(StorageFault):  # if its tables are gone, the last known offsets count
                await former.refresh()
        goal = {p: offset for p, offset in former.applied.items() if p not in past_the_end}
        return ready(new) and new.reaches(goal)

    async def _past_the_end(self, rows: Generation) -> set[int]:
        """Return the partitions whose checkpoint is past the end of the log, which was set back."""
        applied = dict(rows.applied)
        ends = await self.ends()
        return {p for p, offset in applied.items() if offset > ends[p]}

    def _replace(self, new: Generation) -> None:
        if self._live is not None:
            self._live.superseded.set()  # `_watch` turns to the new one
        self._live = new
        self.number += 1
        replaced, self._replaced = self._replaced, asyncio.Event()
        replaced.set()


async def _close(rows: Generation) -> None:
    await rows.stop()
    await rows.tables.close()
