"""The directory: follows discovery, loads documents of ready services, finds the route of a request."""

import asyncio
import time
from collections.abc import Iterable, Mapping

import structlog

from bookshelf.discovery.port import Discovery, Snapshot
from bookshelf.http.client.transport import Transport
from bookshelf.http.problem import Problem
from bookshelf.runtime.supervisor import Supervisor
from gateway.routing.catalog import RouteCatalog
from gateway.routing.document_loader import DocumentLoader
from gateway.routing.instances import ReadyInstances
from gateway.routing.rules import Rules
from gateway.upstream.address_policy import AddressPolicy
from gateway.upstream.call import Route
from gateway.upstream.pool import Pools

#: Seconds between two checks for services that have been absent for too long.
_TEND_S = 5.0
_logger = structlog.get_logger(__name__)


class Directory:
    """Keeps the pools and the route catalog up to date with service discovery."""

    def __init__(
        self,
        discovery: Discovery,
        transport: Transport,
        prefix: str,
        *,
        pools: Pools | None = None,
        address_policy: AddressPolicy | None = None,
    ) -> None:
        self._discovery = discovery
        self._pools = pools or Pools()
        self.known = RouteCatalog(prefix, Rules(), self._pools)
        self._ready = ReadyInstances(address_policy or AddressPolicy())
        self._learner = DocumentLoader(transport, self.known, self._ready, self._note)
        self._settled = asyncio.Event()
        self._supervisor = Supervisor("the gateway's directory")

    @property
    def pools(self) -> Pools:
        """The pools of all ready instances that may be called."""
        return self._pools

    @property
    def document(self) -> bytes:
        """The OpenAPI document of all services that are known."""
        return self.known.document

    @property
    def can_route(self) -> bool:
        """True once discovery has answered and there is a route."""
        table = self.known.table
        return self._ready.has_snapshot and bool(table.routes or table.roots)

    @property
    def refused_instances(self) -> Mapping[str, str]:
        """The reasons why instances are never called, by instance id."""
        return self._ready.refused

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Return the route of a method and a raw path without prefix and query, and the path's parameters.

        Raises `Problem`: no-route, method, malformed, forbidden. As long as the document of a ready service
        is missing, unavailable replaces the first two, because that service may have the route.
        """
        if self.known.rules.forbid and self.known.rules.forbids(method, path):
            raise Problem("forbidden", "this route is closed at this gateway")
        try:
            route, _, parameters = self.known.table.router.find(method, path)
        except Problem as fault:
            missing = None if fault.kind == "malformed" else self.missing()
            if missing is None:
                raise
            raise Problem("unavailable", missing) from None
        return route, parameters

    def find_page(self, path: str) -> Route | None:
        """Return the route of the pages that a raw path is among; None if no service has declared its root.

        Raises `Problem`: unavailable, as long as the document of a ready service is missing.
        """
        route = self.known.table.page_route(path)
        if route is None and (unknown := self._unknown()):
            raise Problem("unavailable", _unknown_text(unknown))
        return route

    def missing(self) -> str | None:
        """Return a message on what is not known yet; None if everything is known."""
        if not self._ready.has_snapshot:
            return "discovery has not answered yet"
        if unknown := self._unknown():
            return _unknown_text(unknown)
        return None if self.known.table.routes else "no service is ready yet"

    def apply_rules(self, rules: Rules) -> None:
        """Apply other rules, at once."""
        self.known.apply_rules(rules)

    async def run(self) -> None:
        """Follow discovery until cancelled; an error is logged and followed by another attempt."""
        async with asyncio.TaskGroup() as tasks:  # loading of documents goes on after an error of discovery
            tasks.create_task(self._tend(tasks))
            await self._supervisor.keep(lambda: self._follow(tasks))

    async def settled(self) -> None:
        """Wait until discovery has answered and every service that is ready is known."""
        await self._settled.wait()

    async def _follow(self, learners: asyncio.TaskGroup) -> None:
        async for snapshot in self._discovery.watch():
            self._supervisor.note_progress()
            self._ready.replace(snapshot)
            self._pools.update(Snapshot(self._ready.instances))
            self.known.record(self._ready.routed(), time.monotonic())
            self._note()
            self._learner.learn(learners)
        raise RuntimeError("discovery has ended its watch")

    def _note(self) -> None:
        self.known.forget_former(self._ready.editions())
        if self._unknown():
            self._settled.clear()
        else:
            self._settled.set()

    def _unknown(self) -> set[str]:
        unlearned = {service for service, _ in self._ready.editions() - self._learner.hopeless}
        return unlearned - self.known.services

    async def _tend(self, learners: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            self.known.forget_gone(time.monotonic())
            self._learner.learn(learners)


def _unknown_text(services: Iterable[str]) -> str:
    return f"what these services serve is not known yet: {', '.join(sorted(services))}"
