"""Who is ready, and what each service serves: discovery says the one, the services themselves the other."""

import asyncio
from itertools import count

import structlog

from bookshelf.discovery.port import Discovery, Instance, Snapshot
from bookshelf.runtime.http.problem import Problem
from bookshelf.runtime.http.transport import Transport
from bookshelf.runtime.supervisor import Supervisor
from gateway.routes.fetch import fetch
from gateway.routes.known import Edition, Known
from gateway.routes.routing import Route

_logger = structlog.get_logger(__name__)


class Directory:
    """Follows discovery, and asks an instance of each edition once what it serves."""

    def __init__(self, discovery: Discovery, transport: Transport, prefix: str) -> None:
        self._discovery = discovery
        self._transport = transport
        self._known = Known(prefix)
        self._snapshot: Snapshot | None = None
        self._learning: set[Edition] = set()
        self._settled = asyncio.Event()
        self._supervisor = Supervisor("the gateway's directory")

    @property
    def document(self) -> bytes:
        """The OpenAPI document of all services that are known."""
        return self._known.document

    @property
    def can_route(self) -> bool:
        """Whether discovery has answered, and the routes of at least one service are known."""
        return self._snapshot is not None and bool(self._known.editions)

    def find(self, method: str, path: str) -> Route:
        """Return the route of a method and a raw path without prefix and query.

        Raises `Problem`: no-route, method, malformed; and unavailable in place of the first two as long as
        there is a service that is not known, for it may have that route.
        """
        try:
            return self._known.router.find(method, path)[0]
        except Problem as fault:
            missing = None if fault.kind == "malformed" else self.missing()
            if missing is None:
                raise
            raise Problem("unavailable", missing) from None

    def missing(self) -> str | None:
        """Say what is not known yet; None when everything is."""
        if self._snapshot is None:
            return "discovery has not answered yet"
        if unknown := self._unknown():
            return f"what these services serve is not known yet: {', '.join(sorted(unknown))}"
        return None if self._known.editions else "no service is ready yet"

    async def run(self) -> None:
        """Follow discovery for ever; a fault is logged and followed by another try."""
        self._learning.clear()
        async with asyncio.TaskGroup() as learners:  # what is being learned outlasts a fault of discovery
            await self._supervisor.keep(lambda: self._follow(learners))

    async def settled(self) -> None:
        """Wait until discovery has answered and every service that is ready is known."""
        await self._settled.wait()

    async def _follow(self, learners: asyncio.TaskGroup) -> None:
        async for snapshot in self._discovery.watch():
            self._supervisor.well()
            self._hear(snapshot)
            for edition in self._ready() - self._known.editions - self._learning:
                self._learning.add(edition)
                learners.create_task(self._learn(edition))
        raise RuntimeError("discovery has ended its watch")

    def _hear(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._known.pools.become(snapshot)
        self._note()

    async def _learn(self, edition: Edition) -> None:
        attempts = count()

        async def once() -> None:
            # one that is gone meanwhile is met again in a later snapshot
            if instances := self._instances(edition):
                instance = instances[next(attempts) % len(instances)]
                self._known.learn(edition, await fetch(self._transport, instance))
                _logger.info("routes known", service=edition[0], version=edition[1])

        try:
            await Supervisor(f"the routes of {edition[0]}").keep(once)
        finally:
            self._learning.discard(edition)
            self._note()

    def _note(self) -> None:
        self._known.forget_former(self._ready())
        if self._unknown():
            self._settled.clear()
        else:
            self._settled.set()

    def _unknown(self) -> set[str]:
        return {service for service, _ in self._ready()} - self._known.services

    def _ready(self) -> set[Edition]:
        return {_edition(instance) for instance in self._snapshot.instances} if self._snapshot else set()

    def _instances(self, edition: Edition) -> list[Instance]:
        ready = self._snapshot.instances if self._snapshot else ()
        return [instance for instance in ready if _edition(instance) == edition]


def _edition(instance: Instance) -> Edition:
    return instance.service, instance.meta.get("version", "")
