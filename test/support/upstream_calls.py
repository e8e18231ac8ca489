"""The sending part of the gateway alone: instances in this process, and a clock that is moved by hand."""

from collections.abc import Callable, Mapping
from random import Random

import msgspec
from support.openapi_documents import at
from support.upstream import Service, openapi_document

from bookshelf.discovery.port import Instance, Snapshot
from bookshelf.http.client import LocalTransport
from bookshelf.http.message import Request, Response, request
from bookshelf.http.problem import Problem
from gateway.upstream.call import CallTimeouts, Route
from gateway.upstream.pool import Pools
from gateway.upstream.proxy import Proxy

DOCUMENT = openapi_document("s", ("t",), "GET /x")


class Sending:
    """Instances of one service, and a route to it."""

    def __init__(self, patience: CallTimeouts | None = None, **route: object) -> None:
        self.now = 1000.0
        self._transport = LocalTransport()
        self.pools = Pools(random=Random(7).random)  # noqa: S311 (the same each time)
        self._instances: list[Instance] = []
        self._made = 0
        self._later: list[tuple[float, Callable[[], object]]] = []
        self.pool = self.pools.of(("t",))
        self.route = Route(template="/x", pool=self.pool, **route)  # type: ignore[arg-type]
        self._proxy = Proxy(self._transport, patience or CallTimeouts(), self._pause, lambda: self.now)

    async def _pause(self, seconds: float) -> None:
        self.now += seconds
        due = [change for when, change in self._later if when <= self.now]
        self._later = [(when, change) for when, change in self._later if when > self.now]
        for change in due:
            change()

    def after(self, seconds: float, change: Callable[[], object]) -> None:
        """Have something change in so many seconds, in a pause of the gateway."""
        self._later.append((self.now + seconds, change))

    def leave(self) -> None:
        """Have no instance be ready any more."""
        self._instances.clear()
        self.pools.update(Snapshot(()))

    def publish(self, *metas: Mapping[str, str]) -> None:
        """Have the instances register with other metadata."""
        for place, meta in enumerate(metas):
            self._instances[place] = msgspec.structs.replace(self._instances[place], meta=meta)
        self.pools.update(Snapshot(tuple(self._instances)))

    def add(self, *answers: object, **meta: str) -> Service:
        """Have one more instance be ready."""
        service = Service(DOCUMENT, *answers)  # type: ignore[arg-type]
        self._made += 1
        made = at(f"i{self._made}", "t", **meta)
        made = Instance(id=made.id, service="s", tags=("t",), address="here", port=self._made, meta=meta)
        self._instances.append(made)
        self._transport.attach(made.address, made.port, service)
        self.pools.update(Snapshot(tuple(self._instances)))
        return service

    async def ask(self, method: str = "GET", path: Mapping[str, str] | None = None) -> Response:
        """Send a request. Raises `Problem`."""
        return await self._proxy.send(request(method, "/x"), self.route, path or {})

    async def status(self, method: str = "GET") -> int | str:
        """Return the answer's status, or the kind of the problem."""
        return await self.status_of(request(method, "/x"))

    async def status_of(self, asked: Request) -> int | str:
        """Return the status of the answer to a request, or the kind of the problem."""
        try:
            return (await self._proxy.send(asked, self.route, {})).status
        except Problem as fault:
            return fault.kind
