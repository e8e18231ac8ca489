"""Follows foreign services: those that other programs have registered, with a certain key in their metadata.

Only a gateway needs them. One blocking query waits for the list of services, which changes with each
registration. A failing check does not change that list, so known foreign services are queried every second.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Self
from urllib.parse import quote

import msgspec
import structlog

from bookshelf.concurrency import Latest, cancel_and_wait
from bookshelf.discovery.consul.agent import Agent
from bookshelf.discovery.consul.discovery import ConsulDiscovery
from bookshelf.discovery.consul.registration import AgentCatalog
from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.discovery.port import Discovery, DiscoveryFault, Instance, Snapshot

#: Seconds between two queries of known foreign services, and before a retry after a fault.
_LOOK_S = 1.0
_AGAIN_S = 0.5
#: The most services that are queried, in the order of their names, and how many at the same time.
_NAMES = 500
_AT_ONCE = 8
_logger = structlog.get_logger(__name__)


class ForeignServices:
    """Follows the foreign services of one agent. Its last good answer counts while it does not answer."""

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
        """Query the agent until cancelled."""
        while True:
            try:
                await self.look()
            except DiscoveryFault as fault:
                _logger.debug("foreign-services-not-listed", registry="consul", why=str(fault))
                self._index = 0
                self.newest.put(self.newest.now or ())  # our own services must not wait for foreign ones
                await asyncio.sleep(_AGAIN_S)

    async def look(self) -> None:
        """Wait for a change, or for one second if foreign services are known. Raises `DiscoveryFault`."""
        wait_s = _LOOK_S if self._wanted else self._wait_s
        asked = {"index": str(self._index), "wait": f"{wait_s:g}s"} if self._index else {}
        answer = await self._agent.get("/v1/catalog/services", asked, wait_s if asked else 0.0)
        moved = not self._index or answer.index != self._index
        if moved:
            self._names = frozenset(sorted(self._catalogue.names(answer.body))[:_NAMES])
        services = await self._query(sorted(self._names if moved else self._wanted))
        self._index = answer.index
        self._wanted = frozenset(name for name, (has_key, _) in services.items() if has_key)
        ready = [instance for _, instances in services.values() for instance in instances]
        self.newest.put(tuple(sorted(ready, key=lambda instance: (instance.service, instance.id))))

    async def _query(self, names: list[str]) -> dict[str, tuple[bool, list[Instance]]]:
        places = asyncio.Semaphore(_AT_ONCE)

        async def of(name: str) -> tuple[bool, list[Instance]]:
            async with places:
                answer = await self._agent.get(f"/v1/health/service/{quote(name, safe='')}", {})
            return self._catalogue.foreign_instances(answer.body, self._key)

        return dict(zip(names, await asyncio.gather(*map(of, names)), strict=True))


class CombinedDiscovery:
    """Service discovery of our own instances and of foreign services together."""

    def __init__(self, ours: Discovery, foreign: ForeignServices) -> None:
        self._ours = ours
        self._foreign = foreign

    @classmethod
    async def enter(cls, settings: ConsulSettings, key: str, stack: AsyncExitStack) -> Self:
        """Open a discovery that also finds foreign services with this metadata key; the stack closes it.

        Waits for the agent if needed. Raises `DiscoveryFault`.
        """
        ours = await ConsulDiscovery.enter(settings, stack)
        agent = Agent(settings)
        stack.push_async_callback(agent.close)
        foreign = ForeignServices(agent, settings.pace.wait_s, key)
        following = asyncio.create_task(foreign.follow(), name="foreign services")
        stack.push_async_callback(cancel_and_wait, following)
        return cls(ours, foreign)

    async def register(self, instance: Instance) -> None:
        """Register an instance of ours as ready."""
        await self._ours.register(instance)

    async def report(self, instance_id: str, fault: str | None) -> None:
        """Report the health of an instance of ours."""
        await self._ours.report(instance_id, fault)

    async def deregister(self, instance_id: str) -> None:
        """Remove an instance of ours."""
        await self._ours.deregister(instance_id)

    def snapshot(self) -> Snapshot:
        """Return the ready instances; a foreign instance with the id of one of ours is left out."""
        known = self._ours.snapshot()
        ids = {instance.id for instance in known.instances}
        others = tuple(other for other in self._foreign.newest.now or () if other.id not in ids)
        return msgspec.structs.replace(known, instances=known.instances + others)

    async def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the current snapshot, once foreign services were queried, then each newer one."""
        both: Latest[Snapshot] = Latest()
        sources = (self._ours.watch(), self._foreign.newest.each())
        following = [asyncio.create_task(self._forward(both, news)) for news in sources]
        try:
            async for snapshot in both.each():
                yield snapshot
        finally:
            for task in following:
                task.cancel()

    async def _forward(self, both: Latest[Snapshot], news: AsyncIterator[object]) -> None:
        async for _ in news:
            if self._foreign.newest.now is not None:
                both.put(self.snapshot())
