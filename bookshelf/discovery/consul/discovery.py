"""Service discovery through a Consul agent: keeps our instances registered and follows the ready ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Self

from bookshelf.concurrency import cancel_and_wait
from bookshelf.discovery.consul.agent import Agent, retry_until_reached
from bookshelf.discovery.consul.heartbeat import Heartbeat
from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.discovery.consul.watcher import HealthQuery, Watcher
from bookshelf.discovery.port import Instance, Snapshot


class ConsulDiscovery:
    """Service discovery through one Consul agent. Created by `open`; `close` it before the loop ends."""

    def __init__(self, settings: ConsulSettings, reading: Agent, writing: Agent) -> None:
        self._settings = settings
        self._writing = writing
        self._watcher = Watcher(HealthQuery(reading, settings.pace.wait_s), settings.pace.grace_s)
        self._heartbeats: dict[str, Heartbeat] = {}
        self._opened = AsyncExitStack()

    @classmethod
    async def open(cls, settings: ConsulSettings) -> Self:
        """Connect to the agent and wait for its first answer.

        Raises `DiscoveryFault` if there is none within `wait_s`, or at once if it refuses the token.
        """
        async with AsyncExitStack() as opened:
            # two connection pools, so that no write waits for a blocking query to end
            reading, writing = Agent(settings), Agent(settings)
            opened.push_async_callback(reading.close)
            opened.push_async_callback(writing.close)
            discovery = cls(settings, reading, writing)
            await retry_until_reached(discovery._watcher.look, settings.wait_s)
            opened.push_async_callback(cancel_and_wait, asyncio.create_task(discovery._watcher.follow()))
            discovery._opened = opened.pop_all()
        return discovery

    @classmethod
    async def enter(cls, settings: ConsulSettings, stack: AsyncExitStack) -> Self:
        """Open a discovery that the stack closes. Raises `DiscoveryFault`."""
        discovery = await cls.open(settings)
        stack.push_async_callback(discovery.close)
        return discovery

    async def close(self) -> None:
        """Stop following and close the connections. Checks of instances still registered then expire."""
        for heartbeat in self._heartbeats.values():
            await heartbeat.stop()
        await self._opened.aclose()

    async def register(self, instance: Instance) -> None:
        """Register the instance as ready, and keep it registered.

        Raises `DiscoveryFault` if Consul cannot hold it. The first call for an instance also raises if Consul
        refuses it or cannot be reached within `wait_s`. Later calls do not wait for an unreachable
        agent: the heartbeat registers the instance once the agent answers.
        """
        heartbeat = self._heartbeats.get(instance.id) or Heartbeat(self._writing, self._settings)
        await heartbeat.register(instance)
        self._heartbeats[instance.id] = heartbeat
        self._watcher.allow(instance.id)

    async def report(self, instance_id: str, fault: str | None) -> None:
        """Report the instance's health, later if the agent cannot be reached. Ignores an unknown instance."""
        if heartbeat := self._heartbeats.get(instance_id):
            (self._watcher.allow if fault is None else self._watcher.deny)(instance_id)
            await heartbeat.report(fault)

    async def deregister(self, instance_id: str) -> None:
        """Deregister the instance. If the agent cannot be reached, its check expires and it is removed."""
        if heartbeat := self._heartbeats.pop(instance_id, None):
            self._watcher.deny(instance_id)
            await heartbeat.leave()

    def snapshot(self) -> Snapshot:
        """Return the ready instances as of the agent's last answer; stale while the agent does not answer."""
        return self._watcher.snapshot

    def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the current snapshot, then each newer one."""
        return self._watcher.watch()
