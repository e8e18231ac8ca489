"""Service discovery through a Consul agent: keeps our instances registered and follows the ready ones.

The newest snapshot is kept, with a grace period for instances that disappear.
An agent that was restarted lists no instance at first, and then only some; one that was suspended lists all
checks as expired; one whose token lost its rights lists nothing. Each such answer is well-formed. So new
instances are accepted at once, and instances that disappear in a suspect or empty answer without having
reported a fault are kept for `grace_s`; a snapshot with a kept instance is stale. Only an answer after the
grace period removes it, never the lack of an answer.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from typing import Self
from urllib.parse import quote

import msgspec
import structlog

from bookshelf.concurrency import Latest, cancel_and_wait
from bookshelf.discovery.consul.agent import Agent, retry_until_reached
from bookshelf.discovery.consul.registration import FILTER, AgentCatalog, Check, Heartbeat
from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.discovery.port import DiscoveryFault, Instance, Snapshot


class CatalogSnapshot(msgspec.Struct, frozen=True):
    """One answer of the agent. `self_reported_down`: ids of instances that have reported a fault."""

    ready: tuple[Instance, ...] = ()
    self_reported_down: AbstractSet[str] = frozenset()
    #: True if the agent may have lost entries: the first answer after a fault, or its index went back.
    suspect: bool = False


class FlapGuard:
    """Derives the ready instances from answers that may be wrong.

    Times are the arrival times of answers, in seconds of one monotonic clock.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._ready: dict[str, Instance] = {}
        self._held: dict[str, tuple[Instance, float]] = {}
        self._denied: set[str] = set()
        self._silent = False

    def lost(self) -> None:
        """Note that the agent no longer answers: its next answer starts the grace periods anew."""
        self._silent = True

    def apply(self, seen: CatalogSnapshot, now: float) -> None:
        """Apply an answer."""
        ready = {instance.id: instance for instance in seen.ready}
        missing = {key: instance for key, instance in self._ready.items() if key not in ready}
        until = now + self._grace_s
        if self._silent:
            self._silent = False
            self._held = {key: (instance, until) for key, (instance, _) in self._held.items()}
        if seen.suspect or not ready:
            self._held = {**{key: (instance, until) for key, instance in missing.items()}, **self._held}
        known = ready.keys() | seen.self_reported_down
        self._held = {key: held for key, held in self._held.items() if key not in known and held[1] > now}
        self._ready = ready

    def deny(self, instance_id: str) -> None:
        """Leave an instance of this process out, whatever answers list: it has reported a fault here."""
        self._denied.add(instance_id)
        self._held.pop(instance_id, None)

    def allow(self, instance_id: str) -> None:
        """Undo `deny`: answers decide again whether the instance is ready."""
        self._denied.discard(instance_id)

    def snapshot(self, now: float) -> Snapshot:
        """Return the instances that are ready or in their grace period, sorted by service and id."""
        held = [i for i, until in self._held.values() if until > now and i.id not in self._denied]
        ready = [instance for instance in self._ready.values() if instance.id not in self._denied]
        return Snapshot(
            tuple(sorted([*held, *ready], key=lambda instance: (instance.service, instance.id))),
            stale=bool(held),
        )

    def next_end(self, now: float) -> float | None:
        """Return the end of the next grace period; None if no instance is in one."""
        return min((until for _, until in self._held.values() if until > now), default=None)


_CHECKS = "/v1/health/state/any"


class HealthQuery:
    """Remembers the index of the last answer. After a fault, the next query does not block."""

    def __init__(self, agent: Agent, wait_s: float) -> None:
        self._agent = agent
        self._wait_s = wait_s
        self._catalogue = AgentCatalog()
        self._index = 0
        self._checks: frozenset[Check] | None = None

    def forget(self) -> None:
        """Drop the last answer, so that the next query returns the whole state at once."""
        self._index, self._checks = 0, None

    async def look(self, most_s: float = math.inf) -> CatalogSnapshot | None:
        """Wait up to `most_s` seconds for a change and return the new state; None if no check has changed.

        Raises `AgentUnavailable`, `AgentError`.
        """
        asked, wait_s = {"filter": FILTER}, min(self._wait_s, most_s)
        if self._index:
            asked.update(index=str(self._index), wait=f"{1000 * wait_s:.0f}ms")
        answer = await self._agent.get(_CHECKS, asked, wait_s if self._index else 0.0)
        suspect = self._checks is None or answer.index < self._index
        checks = frozenset(self._catalogue.checks(answer.body))
        if checks == self._checks and not suspect:
            self._index = answer.index
            return None
        services = sorted({check.service for check in checks if check.ours})
        found = await asyncio.gather(*map(self._instances_of, services))
        ready = tuple(instance for instances in found for instance in instances)
        # stored last, so that a query that a fault interrupted is repeated
        self._index, self._checks = (0 if answer.index < self._index else answer.index), checks
        return CatalogSnapshot(ready, frozenset(c.instance for c in checks if c.self_reported_down), suspect)

    async def _instances_of(self, service: str) -> list[Instance]:
        path = f"/v1/health/service/{quote(service, safe='')}"
        answer = await self._agent.get(path, {"passing": "1"})
        return list(self._catalogue.instances(answer.body))


#: Seconds between two queries: after a change of ours, and at most while only other checks change.
_SOON_S = 0.02
_LATE_S = 0.25
#: Seconds before the first retry after a fault, doubled with each one up to the maximum.
_FIRST_S = 0.1
_LAST_S = 1.0
_logger = structlog.get_logger(__name__)


class Watcher:
    """Repeats a health query, passes its answers through the flap guard and publishes snapshots."""

    def __init__(self, query: HealthQuery, grace_s: float) -> None:
        self._query = query
        self._guard = FlapGuard(grace_s)
        self._newest: Latest[Snapshot] = Latest()
        self._fault: str | None = None
        #: The time of the last answer on the loop's clock.
        self._answered = 0.0

    @property
    def snapshot(self) -> Snapshot:
        """Return the newest snapshot; empty and stale before the first answer."""
        return self._newest.now or Snapshot(stale=True)

    def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the current snapshot, once there is one, then each newer one."""
        return self._newest.each()

    def deny(self, instance_id: str) -> None:
        """Leave this instance out of all snapshots, whatever the agent answers."""
        self._guard.deny(instance_id)
        self._publish()

    def allow(self, instance_id: str) -> None:
        """Undo `deny`: the agent's answers decide again whether the instance is ready."""
        self._guard.allow(instance_id)
        self._publish()

    async def look(self) -> bool:
        """Wait for a change; return True if there was one. Raises `DiscoveryFault`."""
        seen = await self._query.look(self._patience_s())
        self._answered = _now()
        if self._fault is not None:
            _logger.info("registry-reachable-again", registry="consul")
            self._fault = None
        if seen is not None:
            self._guard.apply(seen, self._answered)
        self._publish(answered=True)
        return seen is not None

    def _patience_s(self) -> float:
        """Return how long a query may block: until the next grace period ends, or without limit."""
        end = self._guard.next_end(self._answered)
        return math.inf if end is None else max(end - _now(), 0.0) + _SOON_S

    async def follow(self) -> None:
        """Query the agent until cancelled; a fault makes the snapshot stale and is followed by a retry."""
        pause_s = _FIRST_S
        while True:
            try:
                changed = await self.look()
                pause_s = _SOON_S if changed else min(2 * pause_s, _LATE_S)
            except DiscoveryFault as fault:
                pause_s = self._lost(str(fault), pause_s)
            except Exception as fault:
                _logger.exception("defect", registry="consul")
                pause_s = self._lost(str(fault), pause_s)
            await asyncio.sleep(pause_s)

    def _lost(self, fault: str, pause_s: float) -> float:
        if self._fault is None:
            _logger.warning("registry-unreachable", registry="consul", fault=fault)
        pause_s = _FIRST_S if self._fault is None else min(2 * pause_s, _LAST_S)
        self._fault = fault
        self._query.forget()
        self._guard.lost()
        self._publish()
        return pause_s

    def _publish(self, *, answered: bool = False) -> None:
        if self._newest.now is None and not answered:
            return
        snapshot = self._guard.snapshot(self._answered)
        if self._fault is not None:
            snapshot = msgspec.structs.replace(snapshot, stale=True)
        self._newest.put(snapshot)


def _now() -> float:
    return asyncio.get_running_loop().time()


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
