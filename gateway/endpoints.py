"""The endpoints of the gateway itself: API docs, the common OpenAPI document, status, health, metrics."""

import re
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from importlib.resources import files

import msgspec

from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.http.router import Router
from bookshelf.runtime.api.header_fields import unchanged
from bookshelf.runtime.health import live
from bookshelf.runtime.metrics import Meters
from gateway.ingress.client_address import Visibility
from gateway.routing.directory import Directory
from gateway.routing.rules import RuleFile
from gateway.status import POLICY, status, status_page

#: Revalidated on each request, mostly with a 304.
REVALIDATED = "no-cache"


class FixedPage:
    """An endpoint with a fixed response. `more`: additional headers."""

    def __init__(
        self, body: bytes, media_type: str, cache: str = REVALIDATED, more: Mapping[str, str] | None = None
    ) -> None:
        self.body = body
        self._tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
        self._kept = {
            "ETag": self._tag,
            "Cache-Control": cache,
            "X-Content-Type-Options": "nosniff",
            **(more or {}),
        }
        self._headers = {**self._kept, "Content-Type": media_type}

    async def __call__(self, request: Request, _path: Mapping[str, str]) -> Response:
        """Return the page, or 304 if the client has it."""
        if unchanged(request.headers, self._tag):
            return Response(304, self._kept)
        return Response(200, self._headers, self.body)


class RedirectPage:
    """An endpoint that redirects to a fixed location."""

    def __init__(self, status: int, location: str) -> None:
        self._status = status
        self._headers = {"Location": location, "Cache-Control": REVALIDATED}

    async def __call__(self, _request: Request, _path: Mapping[str, str]) -> Response:
        """Return the redirect."""
        return Response(self._status, self._headers)


#: Swagger UI sets inline styles, and its style status_page has icons as data: URLs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
_HTML = "text/html; charset=utf-8"
_SCRIPT = "text/javascript; charset=utf-8"

#: Vendored files change only with a release of Bookshelf, so a day in caches is acceptable.
_KEPT = "public, max-age=86400"

#: The files that are served, each with its media type and Cache-Control value.
_FILES = {
    "index.html": (_HTML, REVALIDATED),
    "initializer.js": (_SCRIPT, REVALIDATED),
    "swagger-ui-bundle.js": (_SCRIPT, _KEPT),
    "swagger-ui.css": ("text/css; charset=utf-8", _KEPT),
    "favicon-32x32.png": ("image/png", _KEPT),
}


def apidocs_pages() -> Mapping[str, FixedPage]:
    """Read the files of the API documentation; return their pages by path."""
    folder = files("gateway") / "swagger"
    pages = {
        f"/apidocs/{name}": FixedPage((folder / name).read_bytes(), media_type, cache, _HEADERS)
        for name, (media_type, cache) in _FILES.items()
    }
    return pages | {"/apidocs/": pages["/apidocs/index.html"]}


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
        self, directory: Directory, meters: Meters, inside: Visibility, rules: RuleFile | None
    ) -> None:
        self._directory = directory
        self._meters = meters
        self._inside = inside
        self._rules = rules
        self.draining = False
        #: Returns why the gateway is not ready although it works: it is no member of its domain.
        self.fault: Callable[[], str | None] = lambda: None
        #: The number of this process, and how many listen on the same port.
        self.process = self.processes = 1
        self._document = FixedPage(b"", "")
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
            self._document = FixedPage(self._directory.document, "application/json")
        return await self._document(request, path)

    async def _ready(self, request: Request, path: Mapping[str, str]) -> Response:
        if self.draining:
            raise Problem("unavailable", "this gateway is shutting down; use another one")
        if (fault := self.fault()) is not None:
            raise Problem("unavailable", f"this gateway is not ready: {fault}")
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
        fault = None if self._rules is None else self._rules.fault
        known = status(self._directory, fault, process=f"{self.process} of {self.processes}")
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
