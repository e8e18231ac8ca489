"""Instances of a view on a Galera cluster under load: no answer goes back in time, and nothing is lost."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Self

from support.counter_context import TOPIC, counted, sums, totals, written
from support.galera import GaleraCluster
from support.views import Views

from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.view.host import ViewHost
from bookshelf.storage.mariadb.storage import MariaDbStorage
from bookshelf.storage.port import StorageFault

_INSTANCES = 3
_PARTITIONS = 3
_PATIENCE_S = 90.0
_KEYS = "abcdefgh"
#: Records of a partition that may wait to be applied.
_BEHIND = 100


class Load:
    """A writer of records, and instances that apply them; each answers readers all the time."""

    def __init__(self, url: str, instances: int = _INSTANCES) -> None:
        self._url, self._instances = url, instances
        self.log = MemoryLog(_PARTITIONS)
        self.hosts: list[ViewHost] = []
        self.storages: list[MariaDbStorage] = []
        #: The longest time in seconds in which an instance gave no answer, and how many answers were faults.
        self.stall_s, self.faults = 0.0, 0
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def source(self) -> str:
        """The name of the log in the catalogue of table sets."""
        return f"{self.log.identity}/{TOPIC}"

    @property
    def measured(self) -> str:
        """What the readers have seen."""
        return f"longest time without an answer: {self.stall_s:.2f} s, {self.faults} faults"

    async def __aenter__(self) -> Self:
        for _ in range(self._instances):
            storage = await MariaDbStorage.open(self._url)
            self._stack.push_async_callback(storage.close)
            views = await self._stack.enter_async_context(Views(self.log, storage, _PATIENCE_S))
            self.storages.append(storage)
            self.hosts.append(await views.host())
        self._tasks = [asyncio.create_task(self._write())]
        self._tasks += [asyncio.create_task(self._read(host)) for host in self.hosts]
        return self

    async def __aexit__(self, *fault: object) -> None:
        await self._end()
        await self._stack.aclose()

    async def _end(self) -> None:
        """End writer and readers. Raises what one of them has raised."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
                raise ended

    async def _write(self) -> None:
        for number in range(1 << 30):
            part = number % _PARTITIONS
            at = await written(self.log, *(counted(f"{key}{part}", 1) for key in _KEYS), partition=part)
            await asyncio.sleep(0.02)  # sleep: leaves time for others
            # on a slow machine the load is what the instances can bear
            await self.hosts[number % len(self.hosts)].rows.reach({part: at - _BEHIND})

    async def _read(self, host: ViewHost) -> None:
        """Read again and again; fail if a sum is lower than it was."""
        before: dict[str, int] = {}
        answered = time.monotonic()
        while True:
            try:
                found = await host.query(sums)
            except StorageFault:
                self.faults += 1
                await asyncio.sleep(0.01)  # sleep: as a client that asks again
                continue
            lower = {key: (was, found.get(key)) for key, was in before.items() if found.get(key, 0) < was}
            assert not lower, f"an answer went back in time: {lower}"
            before, now = found, time.monotonic()
            self.stall_s, answered = max(self.stall_s, now - answered), now
            await asyncio.sleep(0.01)  # sleep: leaves time for others

    async def goes_on(self) -> None:
        """Wait until every instance has applied what is in the log now, and has answered with it."""
        async with asyncio.timeout(_PATIENCE_S):
            for host in self.hosts:
                await _caught_up(host, self.log)

    async def settled(self) -> dict[str, int]:
        """End the load; return what is in the log, after a comparison with the answer of each instance."""
        await self._end()
        expected = await totals(self.log)
        for host in self.hosts:
            async with asyncio.timeout(_PATIENCE_S):
                await _caught_up(host, self.log)
                assert await host.query(sums) == expected
        return expected

    def node(self, cluster: GaleraCluster, instance: int = 0) -> int:
        """Return the number of the node that an instance uses."""
        port = self.storages[instance].database.node[1]
        return cluster.number_at(port)


async def _caught_up(host: ViewHost, log: MemoryLog) -> None:
    ends = {part: await log.end(TOPIC, part) for part in range(_PARTITIONS)}
    await host.rows.reach(ends)
