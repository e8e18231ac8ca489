"""The gateway's middleware: limits, checks, CORS, compression and the access log around every request.

The access log has one line for each request, without anything that may be secret: query strings, bodies and
header values are not logged, except the ids of the request and of its trace.
"""

import asyncio
import logging
import re
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Protocol

import structlog
from multidict import CIMultiDict

from bookshelf.http.message import BytesBody, Handler, Request, Response, TooLarge
from bookshelf.http.problem import Problem
from bookshelf.http.request_check import RequestCheck, is_probe
from bookshelf.http.request_parser import RequestBody, UpgradedStream
from bookshelf.runtime.api.header_fields import trace
from gateway.bodies import TimedRequestBody, TimedResponseBody
from gateway.ingress.client_address import TrustedProxies
from gateway.ingress.compression import GzipResponses
from gateway.problem_page import answer_problem


class ConcurrencyLimiter:
    """Admits up to `most` requests; up to `queue` more wait in order, each for at most `wait_s` seconds.

    `shed` counts the requests that were refused.
    """

    def __init__(self, most: int, queue: int, wait_s: float) -> None:
        self.most = most
        self.queue = queue
        self.wait_s = wait_s
        self.under_way = 0
        self.shed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return len(self._waiting)

    async def enter(self) -> None:
        """Wait for admission. Raises `Problem` if it takes too long, or if too many requests wait already."""
        if self.under_way < self.most:
            self.under_way += 1
            return
        if len(self._waiting) >= self.queue:
            raise self._full()
        await self._turn()

    def leave(self) -> None:
        """End a request, and admit the one that has waited longest."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        self.under_way -= 1

    async def _turn(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self.wait_s):
                await waiting
        except BaseException as fault:
            if waiting.done() and not waiting.cancelled():
                self.leave()  # admitted just as the wait ended
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
            if isinstance(fault, TimeoutError):
                raise self._full() from None
            raise

    def _full(self) -> Problem:
        self.shed += 1
        return Problem("unavailable", "more requests are under way than can be answered in time")


_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_HEADERS = (
    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Bookshelf-After, "
    "Bookshelf-Correlation, Bookshelf-Undoes, traceparent, X-Request-Id"
)
_EXPOSED = (
    "ETag, Location, Link, Retry-After, Bookshelf-Position, Bookshelf-Change, Bookshelf-Count, "
    "Idempotency-Key, Idempotency-Replayed, X-Request-Id"
)
#: Seconds for which a browser may cache the response to a preflight request.
_REMEMBERED_S = "600"


class Cors:
    """The allowed origins: a set, or all; none by default. Credentials are never allowed."""

    def __init__(self, origins: Iterable[str] = ()) -> None:
        self._origins = frozenset(origins)
        self._all = "*" in self._origins

    @property
    def is_engaged(self) -> bool:
        """True if any origin is allowed."""
        return bool(self._origins)

    def preflight(self, request: Request) -> Response | None:
        """Return the response to a preflight request; None if it is none, or its origin is not allowed."""
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        origin = request.headers.get("Origin")
        if origin is None or not self.allows(origin):
            return None
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": _REMEMBERED_S,
        }
        return Response(204, CIMultiDict(headers))

    def add(self, request: Request, headers: CIMultiDict[str]) -> None:
        """Add the CORS headers to a response, if the origin of the request is allowed."""
        if not self._origins:
            return
        if not self._all:
            headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin is not None and self.allows(origin):
            headers["Access-Control-Allow-Origin"] = "*" if self._all else origin
            headers["Access-Control-Expose-Headers"] = _EXPOSED

    def allows(self, origin: str) -> bool:
        """Return True if pages of this origin may use the gateway."""
        return self._all or origin in self._origins


#: The most characters of a path that are logged.
_MOST = 256
#: How many ids are generated at a time.
_AT_ONCE = 256
_ID = re.compile(r"[A-Za-z0-9._:-]{8,128}")
REQUEST_ID = "X-Request-Id"
_TRACE = "traceparent"
_NO_TRACE, _NO_SPAN, _NO_VERSION = "0" * 32, "0" * 16, "ff"


class RequestIds:
    """Assigns ids to requests. Random bytes are read for many ids at once, to save system calls."""

    def __init__(self) -> None:
        self._made: list[str] = []

    def of(self, request: Request) -> str:
        """Return the request's id: the client's if it is well-formed, else a new one."""
        given = request.headers.get(REQUEST_ID)
        if given is not None and _ID.fullmatch(given):
            return given
        if not self._made:
            many = secrets.token_hex(8 * _AT_ONCE)
            self._made = [many[place : place + 16] for place in range(0, 16 * _AT_ONCE, 16)]
        return self._made.pop()


class Traces:
    """Assigns trace ids (W3C Trace Context). A request without a valid one starts a new trace."""

    def __init__(self) -> None:
        self._made: list[str] = []

    def begin(self, request: Request) -> str:
        """Return the trace id of the request; if its traceparent is not valid, set a new one."""
        given = trace(request.headers)
        version, trace_id, span = given[:2], given[3:35], given[36:52]
        if given and version != _NO_VERSION and trace_id != _NO_TRACE and span != _NO_SPAN:
            return trace_id
        headers = request.headers = CIMultiDict(request.headers)
        headers.popall("tracestate", None)  # it belongs to the invalid trace
        if not self._made:
            many = secrets.token_hex(24 * _AT_ONCE)
            self._made = [many[place : place + 48] for place in range(0, 48 * _AT_ONCE, 48)]
        ids = self._made.pop()
        headers[_TRACE] = f"00-{ids[:32]}-{ids[32:]}-01"
        return ids[:32]


class AccessLog:
    """Writes the access log, at the log level of the moment."""

    def __init__(self) -> None:
        self._bind()

    def _bind(self) -> None:
        # bound once for each level: a lazy logger would be assembled again for each line, written or not
        self._level = structlog.get_config()["wrapper_class"]
        self._logger = structlog.get_logger("gateway.access").bind()
        self._enabled = bool(self._logger.is_enabled_for(logging.INFO))

    def note(self, request: Request, response: Response, seconds: float, trace_id: str) -> None:
        """Write the line of one request, if the log level includes it."""
        if structlog.get_config()["wrapper_class"] is not self._level:
            self._bind()
        if not self._enabled:
            return
        body = response.body
        self._logger.info(
            "request",
            id=request.id,
            trace=trace_id,
            client=request.peer,
            method=request.method[:16],
            path=request.target.partition("?")[0][:_MOST],
            status=response.status,
            ms=round(1e3 * seconds, 2),
            bytes=len(body) if isinstance(body, bytes) else None,
            actor=request.actor or None,
        )


#: Security headers of every response, unless the service sets them.
_SAFETY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


class RequestCounter(Protocol):
    """Counts requests by client (`ClientRateLimiter`)."""

    async def enter(self, peer: str) -> None:
        """Count a request. Raises `Problem` if it exceeds the rate."""


Refuse = Callable[[Request, Problem], Awaitable[Response]]


async def _refuse(request: Request, refusal: Problem) -> Response:
    return answer_problem(request, refusal)


async def _refused(refuse: Refuse, refusal: Problem, request: Request) -> Response:
    return await refuse(request, refusal)


@dataclass(kw_only=True)
class IngressPolicy:
    """What the ingress applies to each request; it may change while the gateway runs.

    `rate`: how many requests one client may send in a time; `rate_limiter` counts them, None for no limit.
    `compression`: compresses responses, None for no compression. `body`: the most bytes of a request body.
    `hsts_s`: max-age of Strict-Transport-Security, 0 for no such header. `total_s`: the total timeout, 0 for
    none. `refuse` answers what a page of another origin may not do.
    """

    trusted_proxies: TrustedProxies = field(default_factory=TrustedProxies)
    check: RequestCheck = field(default_factory=RequestCheck)
    concurrency: ConcurrencyLimiter = field(default_factory=lambda: ConcurrencyLimiter(1024, 2048, 2.0))
    rate: str = ""
    rate_limiter: RequestCounter | None = None
    cors: Cors = field(default_factory=Cors)
    compression: GzipResponses | None = None
    body: int = 64 << 20
    hsts_s: int = 0
    total_s: float = 0.0
    log: bool = False
    refuse: Refuse = _refuse


class Ingress:
    """A handler around another handler: it refuses requests cheaply, before the inner handler runs."""

    def __init__(self, inner: Handler, policy: IngressPolicy | None = None) -> None:
        self._inner = inner
        self.policy = policy or IngressPolicy()
        self._access = AccessLog()
        self._names = RequestIds()
        self._traces = Traces()

    async def handle(self, request: Request) -> Response:
        """Return the response of the inner handler, or a refusal."""
        began = time.monotonic()  # the clock of the event loop too
        request = self.policy.trusted_proxies.resolve(request)
        request.id = self._names.of(request)
        trace_id = self._traces.begin(request)
        try:
            response = await self._admitted(request, began)
        except Problem as refusal:
            response = answer_problem(request, refusal)
        self._dress(request, response)
        if self.policy.log:
            self._access.note(request, response, time.monotonic() - began, trace_id)
        return response

    async def _admitted(self, request: Request, began: float) -> Response:
        policy = self.policy
        if is_probe(request):
            return await self._inner.handle(request)  # health probes are exempt from limits and checks
        handle = self._inner.handle
        try:
            policy.check.admit(request, policy.cors.allows)
        except Problem as refusal:
            if refusal.kind != "cross-origin":
                raise
            handle = partial(_refused, policy.refuse, refusal)
        if policy.rate_limiter is not None:
            await policy.rate_limiter.enter(request.peer)
        early = policy.cors.preflight(request)
        if early is not None:
            return early
        self._measure(request)
        if policy.total_s and not isinstance(request.body, BytesBody | UpgradedStream):
            request.body = TimedRequestBody(request.body, began + policy.total_s)
        await policy.concurrency.enter()
        try:
            response = await handle(request)
        finally:
            policy.concurrency.leave()
        if policy.total_s and not isinstance(response.body, bytes) and not _endless(response):
            response.body = TimedResponseBody(response.body, began + policy.total_s)
        return response

    def _measure(self, request: Request) -> None:
        """Refuse a body whose Content-Length is too large, and set the limit for one without."""
        length = request.headers.get("Content-Length")
        if length is not None and length.isascii() and length.isdigit() and int(length) > self.policy.body:
            raise Problem("too-large", str(TooLarge(self.policy.body)))
        if isinstance(request.body, RequestBody):
            request.body.most = self.policy.body
        elif isinstance(request.body, BytesBody) and len(request.body.content) > self.policy.body:
            raise Problem("too-large", str(TooLarge(self.policy.body)))

    def _dress(self, request: Request, response: Response) -> None:
        policy = self.policy
        headers = response.headers
        if type(headers) is not CIMultiDict:
            headers = response.headers = CIMultiDict(headers)
        for name, value in _SAFETY:
            headers.setdefault(name, value)
        headers[REQUEST_ID] = request.id
        if policy.hsts_s and request.secure:
            headers["Strict-Transport-Security"] = f"max-age={policy.hsts_s}"
        policy.cors.add(request, headers)
        if policy.compression is not None:
            packed = policy.compression.compress(request, response, headers)
            if packed is not None:
                response.body = packed


def _endless(response: Response) -> bool:
    """Return True if a response has no end of its own: a tunnel, or a stream of events."""
    kind = response.headers.get("Content-Type", "")
    return response.status == HTTPStatus.SWITCHING_PROTOCOLS or kind.startswith("text/event-stream")
