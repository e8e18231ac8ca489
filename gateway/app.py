"""The gateway as a handler: forwards what is under its prefix, serves docs and health itself."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from bookshelf.discovery.port import Discovery
from bookshelf.http.client.transport import Transport
from bookshelf.http.message import Body, BrokenBody, BytesBody, Request, Response, TooLarge
from bookshelf.http.problem import Problem, problem_response
from bookshelf.runtime.api.header_fields import POSITION
from bookshelf.runtime.metrics import Meters
from gateway import bodies, headers, read_your_writes
from gateway.auth.guard import TokenGuard
from gateway.options import GatewayOptions
from gateway.pages.endpoints import Pages
from gateway.routing.directory import Directory
from gateway.routing.rules import TABLES, parse
from gateway.rules_file import RuleFile, Section
from gateway.upstream.metrics import UpstreamMetrics
from gateway.upstream.proxy import Pause, Proxy
from gateway.upstream.route import Route

#: Seconds that a start waits for the services that are ready already.
SETTLE_S = 2.0
#: A raw target as it is taken: a path, in printable ASCII, without a fragment. Not http://host/, not *.
_TARGET = re.compile(r"/[\x21\x22\x24-\x7e]*")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_logger = structlog.get_logger(__name__)


class Gateway:
    """The one door: a handler for any server. It takes discovery and transport, and closes neither."""

    def __init__(
        self,
        discovery: Discovery,
        transport: Transport,
        prefix: str = "/bookshelf",
        *,
        choices: GatewayOptions | None = None,
        pause: Pause = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        choices = choices or GatewayOptions()
        self._prefix = prefix
        self._now = now
        self._inside = prefix + "/"
        self._meters = Meters()
        self._gatekeeper = TokenGuard(choices.verifier)
        self.directory = Directory(discovery, transport, prefix, reach=choices.reach)
        self._meters.also(UpstreamMetrics(self.directory.pools))
        self._proxy = Proxy(transport, choices.patience, pause, ids=choices.ids)
        sections = [Section(TABLES, self._routed), *([choices.limits] if choices.limits else [])]
        self._rules = RuleFile(choices.rules, *sections) if choices.rules else None
        self._pages = Pages(self.directory, self._meters, choices.status, self._fault)
        self._pages.process, self._pages.processes = choices.process, choices.processes
        self._following: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Follow discovery. Returns once the services that are ready are known, or after `SETTLE_S`.

        Raises `BadRules`.
        """
        self._following = [asyncio.create_task(self.directory.run(), name="gateway directory")]
        if self._rules is not None:
            self._rules.load()
            self._following.append(asyncio.create_task(self._rules.watch(), name="gateway rules"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await self.directory.settled()

    async def stop(self) -> None:
        """Follow discovery no more. Requests under way are the server's to drain, before this."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)

    def reload(self) -> None:
        """Read the rules again, at once. What is wrong with them is logged and shown."""
        if self._rules is not None:
            self._rules.reload()

    def leave(self) -> None:
        """Say from now on that it is not ready: whoever balances over gateways asks another."""
        self._pages.draining = True

    def _routed(self, given: Mapping[str, Any]) -> Callable[[], None]:
        rules = parse(given)
        return lambda: self.directory.obey(rules)

    def _fault(self) -> str | None:
        return None if self._rules is None else self._rules.fault

    async def handle(self, request: Request) -> Response:
        """Answer a request; every fault is an answer, and says nothing of the inside."""
        began = time.perf_counter()
        template = "none"
        try:
            path = _path(request.target)
            if path.startswith(self._inside):
                route, found = self.directory.find(request.method, path[len(self._prefix) :])
                template = route.template
                await self._gatekeeper.let_in(request, route.requirement)
                response = await self._forward(request, route, found)
            else:
                endpoint, template, found = self._pages.router.find(request.method, path)
                response = await endpoint(request, found)
        except Exception as fault:  # noqa: BLE001 (whatever it is, the client gets an answer)
            response = problem_response(_problem(fault, request))
        if request.method == "HEAD" and response.body and isinstance(response.body, bytes):
            length = {"Content-Length": str(len(response.body))}
            response = Response(response.status, {**response.headers, **length})
        # a client may make methods up, a metric may not
        method = request.method if request.method in _METHODS else "other"
        self._meters.answered(method, template, response.status, time.perf_counter() - began)
        return response

    async def _forward(self, request: Request, route: Route, path: Mapping[str, str]) -> Response:
        body = request.body
        if not isinstance(body, BytesBody):
            body = await bodies.onward(request)
        sent, known = self._onward(request, body)
        return self._back(await self._proxy.send(sent, route, path), known)

    def _onward(self, request: Request, body: Body) -> tuple[Request, read_your_writes.Positions]:
        named = headers.onward(request, self._prefix)
        known = read_your_writes.taken(named)
        read_your_writes.ask(named, known)
        target = request.target[len(self._prefix) :]
        return Request(request.method, target, named, body, request.peer), known

    def _back(self, answered: Response, known: read_your_writes.Positions) -> Response:
        named = headers.back(answered, self._prefix)
        position = named.get(POSITION)
        if position is not None:
            written = read_your_writes.cookies(position, known, self._prefix, int(self._now()))
            named.extend(("Set-Cookie", cookie) for cookie in written)
        return Response(answered.status, named, answered.body)


def _path(target: str) -> str:
    if _TARGET.fullmatch(target) is None:
        raise Problem("malformed", "the request's target is a path in printable ASCII, like /bookshelf/books")
    return target.partition("?")[0]


def _problem(fault: Exception, request: Request) -> Problem:
    match fault:
        case Problem():
            return fault
        case BrokenBody():
            return Problem("timeout", str(fault))
        case TooLarge():
            return Problem("too-large", str(fault))
    _logger.error("defect", service="gateway", method=request.method, exc_info=fault)
    return Problem("internal", "this is a defect of the gateway, not of the request; it was logged")
