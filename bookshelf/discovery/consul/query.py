"""Queries an agent for the ready instances: a blocking query on checks, and one query per changed service.

One held connection serves all services, because an agent accepts few connections from one address. The check
of an instance carries a digest of its registration, so that a change of either ends the blocking query.
"""

import asyncio
import math
from urllib.parse import quote

from bookshelf.discovery.consul.agent import Agent
from bookshelf.discovery.consul.flap_guard import CatalogSnapshot
from bookshelf.discovery.consul.responses import FILTER, AgentCatalog, Check
from bookshelf.discovery.port import Instance

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
        ready = await self._ready({check.service for check in checks if check.ours})
        # stored last, so that a query that a fault interrupted is repeated
        self._index, self._checks = (0 if answer.index < self._index else answer.index), checks
        return CatalogSnapshot(ready, frozenset(c.instance for c in checks if c.self_reported_down), suspect)

    async def _ready(self, services: set[str]) -> tuple[Instance, ...]:
        found = await asyncio.gather(*map(self._of, sorted(services)))
        return tuple(instance for instances in found for instance in instances)

    async def _of(self, service: str) -> list[Instance]:
        path = f"/v1/health/service/{quote(service, safe='')}"
        answer = await self._agent.get(path, {"passing": "1"})
        return list(self._catalogue.instances(answer.body))
