"""The gauges of a service that are measured when /metrics is read: lag, queues, partitions, dead letters."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from bookshelf.log.port import Log, LogFault
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.metrics import Meters
from bookshelf.runtime.process.host import ProcessHost
from bookshelf.runtime.view import dead_letters
from bookshelf.runtime.view.host import ViewHost
from bookshelf.storage.port import StorageFault

#: Seconds for all measurements of one page; what takes longer keeps its former value.
PATIENCE_S = 1.0
#: Different ends of one partition that are remembered.
_ENDS = 500


class LagClock:
    """Dates the ends of one partition, so that a reader's lag can be given in seconds.

    A record's age counts from the first measurement that had it, so that the lag in seconds is exact to the
    time between two measurements.
    """

    def __init__(self) -> None:
        self._ends: deque[tuple[float, int]] = deque(maxlen=_ENDS)

    def look(self, end: int, now: float) -> None:
        """Record the end of the partition at a time of any one clock. A lower end: the log was set back."""
        if self._ends and end < self._ends[-1][1]:
            self._ends.clear()
        if not self._ends or end > self._ends[-1][1]:
            self._ends.append((now, end))

    def lag(self, position: int, now: float) -> tuple[int, float]:
        """Return the lag of a reader that reads `position` next, in records and in seconds."""
        since = next((at for at, end in self._ends if end > position), None)
        if since is None:
            return 0, 0.0
        return self._ends[-1][1] - position, now - since


class ServiceGauges:
    """Measures one service instance. If the log or the database does not answer, the former values stay."""

    def __init__(
        self,
        meters: Meters,
        log: Log,
        aggregates: Iterable[AggregateHost],
        views: Iterable[ViewHost],
        processes: Iterable[ProcessHost] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._meters = meters
        self._log = log
        self._aggregates = tuple(aggregates)
        self._views = tuple(views)
        self._processes = tuple(processes)
        self._clock = clock
        self._lags: dict[tuple[str, int], LagClock] = {}

    async def measure(self) -> None:
        """Set every gauge."""
        for host in self._aggregates:
            self._meters.owners(host.aggregate.name, len(host.owned), host.partitions, host.queued)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(
                    *(self._owner(host) for host in self._aggregates),
                    *(self._view(view) for view in self._views),
                    *(self._process(host) for host in self._processes),
                )

    async def _owner(self, host: AggregateHost) -> None:
        lags = await self._lag(host.aggregate.topic, host.folded)
        if lags is not None:
            self._meters.owner_lag(host.aggregate.name, lags)

    async def _process(self, host: ProcessHost) -> None:
        self._meters.process_dead_letters(host.process.name, host.letters)
        lags = await self._lag(host.process.topic, host.positions)
        if lags is not None:
            self._meters.process_lag(host.process.name, lags)

    async def _view(self, host: ViewHost) -> None:
        rows = host.live
        if rows is None:
            return
        followed = {
            partition: rows.applied[partition] for partition in rows.followed if partition in rows.applied
        }
        lags = await self._lag(host.view.topic, followed)
        if lags is not None:
            self._meters.view_lag(host.view.name, lags)
        with suppress(StorageFault):
            self._meters.dead_letters(host.view.name, await dead_letters.count(rows))

    async def _lag(self, topic: str, positions: Mapping[int, int]) -> dict[int, tuple[int, float]] | None:
        """Return the lag of each partition; None if the log does not answer."""
        try:
            ends = [await self._log.end(topic, partition) for partition in positions]
        except LogFault:
            return None
        now = self._clock()
        lags = {}
        for (partition, position), end in zip(positions.items(), ends, strict=True):
            clock = self._lags.setdefault((topic, partition), LagClock())
            clock.look(end, now)
            lags[partition] = clock.lag(position, now)
        return lags
