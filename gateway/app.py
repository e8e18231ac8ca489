"""The gateway's request handler: forwards requests under its prefix, and serves docs and health itself."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from bookshelf.discovery.port import Discovery
from bookshelf.http.client import Transport
from bookshelf.http.message import Body, BrokenBody, BytesBody, Request, Response, TooLarge
from bookshelf.http.problem import Problem
from bookshelf.runtime.agent.gate import admissions_now
from bookshelf.runtime.api.header_fields import ADMITTED, POSITION, REFUSED, SITES
from bookshelf.runtime.api.identity import signed_in
from bookshelf.runtime.election.lock_service import HeldLocks, LockService
from bookshelf.runtime.metrics import Meters
from gateway import bodies, headers, read_your_writes
from gateway.accounts.sessions import drop_set_cookie, hide_cookie
from gateway.auth import TokenGuard
from gateway.binding import Bindings, hide_binding
from gateway.endpoints import Pages
from gateway.options import GatewayOptions
from gateway.primary import Primaries
from gateway.problem_page import PREFIX, answer_problem
from gateway.routing.directory import Directory
from gateway.routing.rules import RESERVED, TABLES, RuleFile, RulesInForce, Section, parse
from gateway.status import UpstreamMetrics
from gateway.upstream.call import CallTimeouts, Route
from gateway.upstream.proxy import Pause, Proxy
from gateway.upstream.waits import Waits

if TYPE_CHECKING:
    from gateway.accounts.parts import GatewayAccounts
    from gateway.admission import GatewayGate

#: Seconds that `start` waits for services that are ready already.
SETTLE_S = 2.0

_logger = structlog.get_logger(__name__)


class Gateway:
    """A handler for any HTTP server. It uses the given discovery and transport, and closes neither."""

    def __init__(
        self,
        discovery: Discovery,
        transport: Transport,
        prefix: str = PREFIX,
        *,
        options: GatewayOptions | None = None,
        pause: Pause = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        options = options or GatewayOptions()
        self._prefix = prefix
        self._now = now
        self._inside = prefix + "/"
        #: First segments of paths that are no page's.
        self._kept = {*RESERVED, prefix.split("/", 2)[1]}
        self._meters = Meters()
        self._callers = options.callers
        self.directory = Directory(discovery, transport, prefix, address_policy=options.address_policy)
        self._meters.also(UpstreamMetrics(self.directory.pools, own=self._own_waits))
        self._proxy = Proxy(transport, options.timeouts, pause, ids=options.ids)
        self._accounts: GatewayAccounts | None = None
        self._token_guard = TokenGuard(options.verifier, options.callers)
        if options.callers.has_accounts:
            self._open_accounts(options, transport)
        locks = LockService(discovery, transport, options.callers)
        self._primaries = Primaries(HeldLocks(locks), self.directory.pools, self._proxy)
        self._bindings = Bindings(self.directory.pools, options.bind_key)
        sections = [Section(TABLES, self._routed), self._primaries.section, self._bindings.section]
        sections += [options.limits] if options.limits else []
        #: The rules in force, which a domain may replace.
        self.rules = RulesInForce(*sections)
        self._rules = RuleFile(options.rules, self.rules) if options.rules else None
        self._pages = Pages(self.directory, self._meters, options.status, self._rules)
        self._pages.process, self._pages.processes = options.process, options.processes
        self._following: list[asyncio.Task[None]] = []
        #: In a domain, what lets requests wait while a rollout pauses the gateway.
        self.gate: GatewayGate | None = None

    def _open_accounts(self, options: GatewayOptions, transport: Transport) -> None:
        from gateway.accounts.parts import GatewayAccounts  # noqa: PLC0415 (loads what tokens need)
        from gateway.accounts.users_client import UsersClient  # noqa: PLC0415 (as above)

        users = UsersClient(self.directory.pools, self._proxy, transport, options.callers)
        accounts = self._accounts = GatewayAccounts(users, options.issuer, options.verifier, self._now)
        self._token_guard = TokenGuard(accounts.verifier, options.callers, accounts.sessions)
        self._meters.also(accounts.metrics)

    async def start(self) -> None:
        """Start to follow discovery; return when the ready services are known, or after `SETTLE_S`.

        With accounts, that includes what was revoked. Raises `BadRules`.
        """
        self._following = [
            asyncio.create_task(self.directory.run(), name="gateway directory"),
            asyncio.create_task(self._primaries.run(), name="gateway primaries"),
        ]
        if self._accounts is not None:
            self._following.append(self._accounts.follow())
        if self._rules is not None:
            self._rules.load()
            self._following.append(asyncio.create_task(self._rules.watch(), name="gateway rules"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await self.directory.settled()
                if self._accounts is not None:
                    await self._accounts.known()

    async def stop(self) -> None:
        """Stop following discovery. The server must have drained its requests before."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        if self._accounts is not None:
            await self._accounts.close()

    def reload(self) -> None:
        """Read the rules file again, at once. An error is logged and shown in the status."""
        if self._rules is not None:
            self._rules.reload()

    @property
    def timeouts(self) -> CallTimeouts:
        """The timeouts of calls."""
        return self._proxy.timeouts

    @timeouts.setter
    def timeouts(self, timeouts: CallTimeouts) -> None:
        self._proxy.timeouts = timeouts

    def _own_waits(self) -> Waits | None:
        """Return what counts the requests that wait while the gateway is paused; None without a domain."""
        return None if self.gate is None else self.gate.waits

    def leave(self) -> None:
        """Report the gateway as not ready from now on, so that load balancers use another one."""
        self._pages.draining = True

    def hold(self, fault: Callable[[], str | None]) -> None:
        """Report the gateway as not ready while this returns why."""
        self._pages.fault = fault

    def _routed(self, given: Mapping[str, Any]) -> Callable[[], None]:
        rules = parse(given)
        return lambda: self.directory.apply_rules(rules)

    async def handle(self, request: Request) -> Response:
        """Answer a request. Every error becomes a response, without internal details."""
        began = time.perf_counter()
        template = "none"
        if (client := self._callers.client(request)) is not None:
            request.peer, request.secure, request.resolved = client.address, client.secure, True
        try:
            path = _path(request.target)
            if path.startswith(self._inside):
                route, parameters = self.directory.find(request.method, path[len(self._prefix) :])
                template = route.template
                await self._token_guard.authorize(request, route.requirement)
                response = await self._forward(request, route, parameters, self._prefix)
            elif (page := self._page_route(path)) is not None:
                template = page.template
                await self._token_guard.authorize(request, None)
                response = await self._forward(request, page, {}, "")
            else:
                endpoint, template, parameters = self._pages.router.find(request.method, path)
                response = await endpoint(request, parameters)
        except Exception as fault:  # noqa: BLE001 (the client gets a response in any case)
            response = answer_problem(request, _problem(fault, request))
        if request.method == "HEAD" and response.body and isinstance(response.body, bytes):
            length = {"Content-Length": str(len(response.body))}
            response = Response(response.status, {**response.headers, **length})
        if self._accounts is not None:
            self._accounts.sessions.delete_cookie(request, response)
        self._meters.answered(request.method, template, response.status, time.perf_counter() - began)
        return response

    def _page_route(self, path: str) -> Route | None:
        """Return the route of a path outside the prefix that is a page. Raises `Problem`: unavailable.

        A path that begins with // is none: where a page repeats it, a browser reads it as another site.
        """
        kept = path.startswith("//") or path.split("/", 2)[1] in self._kept
        return None if kept else self.directory.find_page(path)

    async def refuse(self, request: Request, refusal: Problem) -> Response:
        """Answer a request that a page of another origin has sent: nothing is done.

        The service of a page shows what was typed. Any other request gets the refusal as problem details.
        """
        try:
            page = self._page_route(_path(request.target))
            if page is not None and not page.foreign and not headers.upgrade(request):
                return await self._forward(request, page, {}, "", refused=refusal.kind)
        except Problem:
            pass  # the page cannot be shown, and the refusal stands
        return answer_problem(request, refusal)

    async def _forward(
        self, request: Request, route: Route, parameters: Mapping[str, str], prefix: str, refused: str = ""
    ) -> Response:
        if self.gate is None:
            return await self._pass_on(request, route, parameters, prefix, refused)
        answer = partial(self._pass_on, request, route, parameters, prefix, refused)
        return await self.gate.around(request, route, answer)

    async def _pass_on(
        self, request: Request, route: Route, parameters: Mapping[str, str], prefix: str, refused: str
    ) -> Response:
        body = request.body
        if not isinstance(body, BytesBody):
            body = await bodies.onward(request)
        sites = "" if prefix or route.foreign else self.directory.sites
        bound = self._bindings.bind(request, prefix, route)
        sent, known = self._onward(request, body, prefix, refused, sites)
        answered = await self._primaries.send(sent, bound.route if bound else route, parameters)
        response = self._back(answered, known, prefix)
        if bound is not None:
            bound.answer(response, prefix, secure=request.secure)
        if self._accounts is not None:
            self._accounts.streams.bind(request, response)
            if route.foreign:
                drop_set_cookie(response)
        return response

    def _onward(
        self, request: Request, body: Body, prefix: str, refused: str, sites: str
    ) -> tuple[Request, read_your_writes.Positions]:
        named = headers.onward(request, prefix)
        if self._accounts is not None:
            hide_cookie(named)
        hide_binding(named)
        known = read_your_writes.taken(named)
        read_your_writes.ask(named, known)
        if refused:
            named[REFUSED] = refused
        if sites:
            named[SITES] = sites
        if passed := admissions_now():
            named[ADMITTED] = passed
        sent = Request(
            request.method, request.target[len(prefix) :], named, body, request.peer, actor=request.actor
        )
        self._callers.sign(signed_in(request.actor, request.scopes, request.session), sent)
        return sent, known

    def _back(self, answered: Response, known: read_your_writes.Positions, prefix: str) -> Response:
        named = headers.back(answered, prefix)
        position = named.get(POSITION)
        if position is not None:
            written = read_your_writes.cookies(position, known, int(self._now()))
            named.extend(("Set-Cookie", cookie) for cookie in written)
        return Response(answered.status, named, answered.body)


def _path(target: str) -> str:
    if headers.TARGET.fullmatch(target) is None:
        raise Problem(
            "malformed", "the request's target must be a path in printable ASCII, like /bookshelf/books"
        )
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
