"""The endpoints of the gateway itself: API docs, the common OpenAPI document, status, health, metrics."""

import re
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.http.router import Router
from bookshelf.runtime.health import live
from bookshelf.runtime.metrics import Meters
from gateway.pages.static_page import Page, RedirectPage, apidocs_pages
from gateway.pages.status import status
from gateway.pages.status_page import POLICY, status_page
from gateway.pages.visibility import Visibility
from gateway.routing.directory import Directory

_SHOWN = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}
Endpoint = Callable[[Request, Mapping[str, str]], Awaitable[Response]]


class Pages:
    """Routes and endpoints of the requests that are not forwarded."""

    def __init__(
        self, directory: Directory, meters: Meters, inside: Visibility, faults: Callable[[], str | None]
    ) -> None:
        self._directory = directory
        self._meters = meters
        self._inside = inside
        self._faults = faults
        self.draining = False
        #: The number of this process, and how many listen on the same port.
        self.process = self.processes = 1
        self._document = Page(b"", "")
        self.router: Router[Endpoint] = Router()
        for path, endpoint in self._endpoints().items():
            self.router.add("GET", path, endpoint)

    def _endpoints(self) -> Mapping[str, Endpoint]:
        return {
            "/": RedirectPage(307, "/apidocs/"),
            "/apidocs": RedirectPage(308, "/apidocs/"),
            **apidocs_pages(),
            "/openapi.json": self._openapi,
            "/health/live": live,
            "/health/ready": self._ready,
            "/metrics": self._metrics,
            "/gateway": self._status,
        }

    async def _openapi(self, request: Request, path: Mapping[str, str]) -> Response:
        if self._document.body is not self._directory.document:
            self._document = Page(self._directory.document, "application/json")
        return await self._document(request, path)

    async def _ready(self, request: Request, path: Mapping[str, str]) -> Response:
        if self.draining:
            raise Problem("unavailable", "this gateway is shutting down; use another one")
        if not self._directory.can_route:
            raise Problem("unavailable", self._directory.missing() or "no service is known")
        return await live(request, path)

    async def _metrics(self, request: Request, _path: Mapping[str, str]) -> Response:
        self._admit(request)
        media_type, text = self._meters.page()
        if self.processes > 1:
            text = labelled(text, self.process)
        return Response(200, {"Content-Type": media_type, "Cache-Control": "no-store"}, text)

    async def _status(self, request: Request, _path: Mapping[str, str]) -> Response:
        self._admit(request)
        known = status(self._directory, self._faults(), process=f"{self.process} of {self.processes}")
        if "text/html" in request.headers.get("Accept", ""):
            headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
            return Response(200, {**headers, **_SHOWN}, status_page(known))
        return Response(200, {"Content-Type": "application/json", **_SHOWN}, msgspec.json.encode(known))

    def _admit(self, request: Request) -> None:
        if not self._inside.admits(request):
            raise Problem("no-route", "nothing is served at this path; /openapi.json lists what is")


_SAMPLE = re.compile(rb"^([A-Za-z_:][A-Za-z0-9_:]*)(\{)?", re.MULTILINE)


def labelled(page: bytes, process: int) -> bytes:
    """Return a page of metrics with the label `process` added, so that each process has its own series."""
    label = b'process="%d"' % process
    return _SAMPLE.sub(lambda found: found[1] + b"{" + label + (b"," if found[2] else b"}"), page)
