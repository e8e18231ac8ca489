"""The sending part of the gateway alone: instances in this process, and a clock that is moved by hand."""

from collections.abc import Mapping
from random import Random

from support.openapi_documents import at
from support.upstream import Service, openapi_document

from bookshelf.discovery.port import Instance, Snapshot
from bookshelf.http.client import LocalTransport
from bookshelf.http.message import Response, request
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
        self._pools = Pools(random=Random(7).random)  # noqa: S311 (the same each time)
        self._instances: list[Instance] = []
        self.pool = self._pools.of(("t",))
        self.route = Route(template="/x", pool=self.pool, **route)  # type: ignore[arg-type]
        self._proxy = Proxy(self._transport, patience or CallTimeouts(), self._pause, lambda: self.now)

    async def _pause(self, seconds: float) -> None:
        self.now += seconds

    def add(self, *answers: object, **meta: str) -> Service:
        """Have one more instance be ready."""
        service = Service(DOCUMENT, *answers)  # type: ignore[arg-type]
        made = at(f"i{len(self._instances)}", "t", **meta)
        made = Instance(
            id=made.id, service="s", tags=("t",), address="here", port=len(self._instances), meta=meta
        )
        self._instances.append(made)
        self._transport.attach(made.address, made.port, service)
        self._pools.update(Snapshot(tuple(self._instances)))
        return service

    async def ask(self, method: str = "GET", path: Mapping[str, str] | None = None) -> Response:
        """Send a request. Raises `Problem`."""
        return await self._proxy.send(request(method, "/x"), self.route, path or {})

    async def status(self, method: str = "GET") -> int | str:
        """Return the answer's status, or the kind of the problem."""
        try:
            return (await self.ask(method)).status
        except Problem as fault:
            return fault.kind
