"""Services that others have registered, and that want to be found: their metadata has the wanted key.

Only a gateway looks for them. Theirs is one more held query: on the list of services, which changes with each
registration. A check that fails does not change it, so those who are known are looked at again every second.
"""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

import msgspec
import structlog

from bookshelf.concurrency.latest import Latest
from bookshelf.discovery.consul.agent import Agent
from bookshelf.discovery.consul.responses import AgentCatalog
from bookshelf.discovery.port import Discovery, DiscoveryFault, Instance, Snapshot

#: Seconds between two looks at strangers that are known, and before another try after a fault.
_LOOK_S = 1.0
_AGAIN_S = 0.5
#: Names of services that are looked at, in their order; a catalogue that has more is not all looked through.
_NAMES = 500
_AT_ONCE = 8
_logger = structlog.get_logger(__name__)


class ForeignServices:
    """Follows them by one agent. While it is away, the last good answer stands."""

    def __init__(self, agent: Agent, wait_s: float, key: str) -> None:
        self._agent = agent
        self._wait_s = wait_s
        self._key = key
        self._catalogue = AgentCatalog()
        self._index = 0
        self._names: frozenset[str] = frozenset()
        self._wanted: frozenset[str] = frozenset()
        self.newest: Latest[tuple[Instance, ...]] = Latest()

    async def follow(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except DiscoveryFault as fault:
                _logger.debug("foreign-services-not-listed", registry="consul", why=str(fault))
                self._index = 0
                self.newest.put(self.newest.now or ())  # ours need not wait for them
                await asyncio.sleep(_AGAIN_S)

    async def look(self) -> None:
        """Wait for news, or for a moment, and take them in. Raises `DiscoveryFault`."""
        wait_s = _LOOK_S if self._wanted else self._wait_s
        asked = {"index": str(self._index), "wait": f"{wait_s:g}s"} if self._index else {}
        answer = await self._agent.get("/v1/catalog/services", asked, wait_s if asked else 0.0)
        moved = not self._index or answer.index != self._index
        if moved:
            self._names = frozenset(sorted(self._catalogue.names(answer.body))[:_NAMES])
        found = await self._found(sorted(self._names if moved else self._wanted))
        self._index = answer.index
        self._wanted = frozenset(name for name, (wants, _) in found.items() if wants)
        ready = [one for _, instances in found.values() for one in instances]
        self.newest.put(tuple(sorted(ready, key=lambda one: (one.service, one.id))))

    async def _found(self, names: list[str]) -> dict[str, tuple[bool, list[Instance]]]:
        places = asyncio.Semaphore(_AT_ONCE)

        async def of(name: str) -> tuple[bool, list[Instance]]:
            async with places:
                answer = await self._agent.get(f"/v1/health/service/{quote(name, safe='')}", {})
            return self._catalogue.strangers(answer.body, self._key)

        return dict(zip(names, await asyncio.gather(*map(of, names)), strict=True))


class CombinedDiscovery:
    """A discovery that also knows strangers."""

    def __init__(self, ours: Discovery, strangers: ForeignServices) -> None:
        self._ours = ours
        self._strangers = strangers

    async def register(self, instance: Instance) -> None:
        """Make an instance of ours known as ready."""
        await self._ours.register(instance)

    async def report(self, instance_id: str, fault: str | None) -> None:
        """Say how an instance of ours is."""
        await self._ours.report(instance_id, fault)

    async def deregister(self, instance_id: str) -> None:
        """Forget an instance of ours."""
        await self._ours.deregister(instance_id)

    def snapshot(self) -> Snapshot:
        """Return who is ready; an id that is one of ours is no stranger's."""
        known = self._ours.snapshot()
        ids = {one.id for one in known.instances}
        others = tuple(one for one in self._strangers.newest.now or () if one.id not in ids)
        return msgspec.structs.replace(known, instances=known.instances + others)

    async def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the present snapshot, once strangers were looked for, then each newer one."""
        both: Latest[Snapshot] = Latest()
        sources = (self._ours.watch(), self._strangers.newest.each())
        following = [asyncio.create_task(self._tell(both, news)) for news in sources]
        try:
            async for snapshot in both.each():
                yield snapshot
        finally:
            for task in following:
                task.cancel()

    async def _tell(self, both: Latest[Snapshot], news: AsyncIterator[object]) -> None:
        async for _ in news:
            if self._strangers.newest.now is not None:
                both.put(self.snapshot())
