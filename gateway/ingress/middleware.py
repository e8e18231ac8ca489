"""The way in and out of the gateway, for every request."""

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from multidict import CIMultiDict

from bookshelf.http.message import BytesBody, Handler, Request, Response, TooLarge
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.request_check import RequestCheck, is_probe
from bookshelf.http.server.request_body import RequestBody
from bookshelf.http.server.upgrade import UpgradedStream
from gateway.ingress import access_log
from gateway.ingress.client_address import TrustedProxies
from gateway.ingress.compression import GzipResponses
from gateway.ingress.concurrency import ConcurrencyLimiter
from gateway.ingress.cors import Cors
from gateway.ingress.total_timeout import TimedRequestBody, TimedResponseBody

#: What every answer says to a browser, unless the service says otherwise.
_SAFETY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


class RequestCounter(Protocol):
    """Whoever counts requests by client (rates.py)."""

    async def enter(self, peer: str) -> None:
        """Count one. Raises `Problem` if it is one too many."""


@dataclass(kw_only=True)
class IngressPolicy:
    """The rules of a gateway; they may change while it runs.

    `rate`: how often one client may ask, and `rates`, who counts it. `rates`, `packing` None: without.
    `body`: bytes. `hsts_s`: 0 for not said. `total_s`: for a request in all, 0 for as long as it takes.
    """

    origins: TrustedProxies = field(default_factory=TrustedProxies)
    check: RequestCheck = field(default_factory=RequestCheck)
    crowd: ConcurrencyLimiter = field(default_factory=lambda: ConcurrencyLimiter(1024, 2048, 2.0))
    rate: str = ""
    rates: RequestCounter | None = None
    cors: Cors = field(default_factory=Cors)
    packing: GzipResponses | None = None
    body: int = 64 << 20
    hsts_s: int = 0
    total_s: float = 0.0
    log: bool = False


class Ingress:
    """A handler before a handler. What it refuses has cost next to nothing."""

    def __init__(self, inner: Handler, house: IngressPolicy | None = None) -> None:
        self._inner = inner
        self.house = house or IngressPolicy()
        self._access = access_log.AccessLog()
        self._names = access_log.RequestIds()
        self._traces = access_log.Traces()

    async def handle(self, request: Request) -> Response:
        """Answer, or refuse with an answer."""
        began = time.monotonic()  # the loop's clock, too
        request = self.house.origins.seen(request)
        request.id = self._names.of(request)
        trace_id = self._traces.begin(request)
        try:
            response = await self._admitted(request, began)
        except Problem as refusal:
            response = problem_response(refusal)
        self._dress(request, response)
        if self.house.log:
            self._access.note(request, response, time.monotonic() - began, trace_id)
        return response

    async def _admitted(self, request: Request, began: float) -> Response:
        house = self.house
        if is_probe(request):
            return await self._inner.handle(request)  # whatever is under way or refused for everyone else
        house.check.admit(request, house.cors.allows)
        if house.rates is not None:
            await house.rates.enter(request.peer)
        early = house.cors.preflight(request)
        if early is not None:
            return early
        self._measure(request)
        if house.total_s and not isinstance(request.body, BytesBody | UpgradedStream):
            request.body = TimedRequestBody(request.body, began + house.total_s)
        await house.crowd.enter()
        try:
            response = await self._inner.handle(request)
        finally:
            house.crowd.leave()
        if house.total_s and not isinstance(response.body, bytes) and not _endless(response):
            response.body = TimedResponseBody(response.body, began + house.total_s)
        return response

    def _measure(self, request: Request) -> None:
        """Refuse a body that says it is too long, and end one that turns out to be."""
        said = request.headers.get("Content-Length")
        if said is not None and said.isascii() and said.isdigit() and int(said) > self.house.body:
            raise Problem("too-large", str(TooLarge(self.house.body)))
        if isinstance(request.body, RequestBody):
            request.body.most = self.house.body
        elif isinstance(request.body, BytesBody) and len(request.body.content) > self.house.body:
            raise Problem("too-large", str(TooLarge(self.house.body)))

    def _dress(self, request: Request, response: Response) -> None:
        house = self.house
        headers = response.headers
        if type(headers) is not CIMultiDict:
            headers = response.headers = CIMultiDict(headers)
        for name, value in _SAFETY:
            headers.setdefault(name, value)
        headers[access_log.ID] = request.id
        if house.hsts_s and request.secure:
            headers["Strict-Transport-Security"] = f"max-age={house.hsts_s}"
        house.cors.add(request, headers)
        if house.packing is not None:
            packed = house.packing.pack(request, response, headers)
            if packed is not None:
                response.body = packed


def _endless(response: Response) -> bool:
    """Whether an answer is meant to last: a tunnel, or a stream of events."""
    kind = response.headers.get("Content-Type", "")
    return response.status == HTTPStatus.SWITCHING_PROTOCOLS or kind.startswith("text/event-stream")
