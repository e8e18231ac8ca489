"""Follows an agent for ever and keeps the newest snapshot: the last good answer while the agent is away."""

import asyncio
import math
from collections.abc import AsyncIterator

import msgspec
import structlog

from bookshelf.concurrency.latest import Latest
from bookshelf.discovery.consul.flap_guard import FlapGuard
from bookshelf.discovery.consul.query import HealthQuery
from bookshelf.discovery.port import DiscoveryFault, Snapshot

#: Seconds between two asks: after news, and at most when all news are of others.
_SOON_S = 0.02
_LATE_S = 0.25
#: Seconds before the first new try after a fault, doubled with every one, up to the last.
_FIRST_S = 0.1
_LAST_S = 1.0
_logger = structlog.get_logger(__name__)


class Watcher:
    """Who is ready, as last heard."""

    def __init__(self, reader: HealthQuery, grace_s: float) -> None:
        self._reader = reader
        self._belief = FlapGuard(grace_s)
        self._newest: Latest[Snapshot] = Latest()
        self._fault: str | None = None
        #: When the last answer came.
        self._answered = 0.0

    @property
    def snapshot(self) -> Snapshot:
        """Return who is ready; no one, and stale, before the first answer."""
        return self._newest.now or Snapshot(stale=True)

    def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the present snapshot, once there is one, then each newer one."""
        return self._newest.each()

    def deny(self, instance_id: str) -> None:
        """Show this one in no snapshot, whatever answers say."""
        self._belief.deny(instance_id)
        self._publish()

    def allow(self, instance_id: str) -> None:
        """Show this one again if answers say that it is ready."""
        self._belief.allow(instance_id)
        self._publish()

    async def look(self) -> bool:
        """Wait for news; return whether there are any. Raises `DiscoveryFault`."""
        seen = await self._reader.look(self._patience_s())
        self._answered = _now()
        if self._fault is not None:
            _logger.info("registry-reachable-again", registry="consul")
            self._fault = None
        if seen is not None:
            self._belief.hear(seen, self._answered)
        self._publish(answered=True)
        return seen is not None

    def _patience_s(self) -> float:
        """Return how long may be waited for news: until someone would be held no longer, if anyone is."""
        end = self._belief.next_end(self._answered)
        return math.inf if end is None else max(end - _now(), 0.0) + _SOON_S

    async def follow(self) -> None:
        """Look for ever; a fault makes the snapshot stale and is followed by another try."""
        pause_s = _FIRST_S
        while True:
            try:
                news = await self.look()
                pause_s = _SOON_S if news else min(2 * pause_s, _LATE_S)
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
        self._reader.forget()
        self._belief.lost()
        self._publish()
        return pause_s

    def _publish(self, *, answered: bool = False) -> None:
        if self._newest.now is None and not answered:
            return
        found = self._belief.snapshot(self._answered)
        self._newest.put(msgspec.structs.replace(found, stale=True) if self._fault is not None else found)


def _now() -> float:
    return asyncio.get_running_loop().time()
