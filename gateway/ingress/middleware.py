"""The gateway's middleware: limits, checks, CORS, compression and the access log around every request."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Protocol

from multidict import CIMultiDict

from bookshelf.http.message import BytesBody, Handler, Request, Response, TooLarge
from bookshelf.http.problem import Problem
from bookshelf.http.request_check import RequestCheck, is_probe
from bookshelf.http.server.request_body import RequestBody, UpgradedStream
from gateway.bodies import TimedRequestBody, TimedResponseBody
from gateway.ingress import access_log
from gateway.ingress.client_address import TrustedProxies
from gateway.ingress.compression import GzipResponses
from gateway.ingress.concurrency import ConcurrencyLimiter
from gateway.ingress.cors import Cors
from gateway.pages.problem_page import answer_problem

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
        self._access = access_log.AccessLog()
        self._names = access_log.RequestIds()
        self._traces = access_log.Traces()

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
        headers[access_log.ID] = request.id
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
