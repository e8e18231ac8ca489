"""The adapter: what this process registers is kept registered, and who else is ready is followed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Self

from bookshelf.discovery.consul.agent import Agent, retry_until_reached
from bookshelf.discovery.consul.heartbeat import Heartbeat
from bookshelf.discovery.consul.query import HealthQuery
from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.discovery.consul.watcher import Watcher
from bookshelf.discovery.port import Instance, Snapshot


class ConsulDiscovery:
    """Discovery through one agent. Made by `open`; `close` before the event loop ends."""

    def __init__(self, settings: ConsulSettings, asked: Agent, told: Agent) -> None:
        self._pace = settings.pace
        self._told = told
        self._watcher = Watcher(HealthQuery(asked, self._pace.wait_s), self._pace.grace_s)
        self._keepers: dict[str, Heartbeat] = {}
        self._opened = AsyncExitStack()

    @classmethod
    async def open(cls, settings: ConsulSettings) -> Self:
        """Wait for the agent and hear its first answer.

        Raises `DiscoveryFault` if there is none within `pace.patience_s`, or at once if it refuses the token.
        """
        async with AsyncExitStack() as opened:
            # a write never waits behind those who wait for news
            asked, told = Agent(settings), Agent(settings)
            opened.push_async_callback(asked.close)
            opened.push_async_callback(told.close)
            discovery = cls(settings, asked, told)
            await retry_until_reached(discovery._first_look, settings.pace.patience_s)
            opened.push_async_callback(discovery._stop, asyncio.create_task(discovery._watcher.follow()))
            discovery._opened = opened.pop_all()
        return discovery

    async def close(self) -> None:
        """Follow no more and let the connections go. What is still registered turns critical by itself."""
        for keeper in self._keepers.values():
            await keeper.stop()
        await self._opened.aclose()

    async def register(self, instance: Instance) -> None:
        """Make the instance known as ready, and keep it known.

        Raises `DiscoveryFault` if Consul cannot take it; the first time also if Consul refuses it, or is away
        beyond `pace.patience_s`. A later time does not wait: an agent that is away hears of it afterwards.
        """
        keeper = self._keepers.get(instance.id) or Heartbeat(self._told, self._pace)
        await keeper.register(instance)
        self._keepers[instance.id] = keeper
        self._watcher.allow(instance.id)

    async def report(self, instance_id: str, fault: str | None) -> None:
        """Say how the instance is. An agent that is away hears it later; an unknown instance is let be."""
        if keeper := self._keepers.get(instance_id):
            (self._watcher.allow if fault is None else self._watcher.deny)(instance_id)
            await keeper.report(fault)

    async def deregister(self, instance_id: str) -> None:
        """Forget the instance. If the agent is away it forgets by itself what it hears no more of."""
        if keeper := self._keepers.pop(instance_id, None):
            self._watcher.deny(instance_id)
            await keeper.leave()

    def snapshot(self) -> Snapshot:
        """Return who is ready, as last heard; stale while the agent is away."""
        return self._watcher.snapshot

    def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the present snapshot, then each newer one."""
        return self._watcher.watch()

    async def _first_look(self) -> None:
        await self._watcher.look()

    async def _stop(self, following: asyncio.Task[None]) -> None:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
