"""The gateway's own addresses: docs, the document of all services, health, metrics."""

from collections.abc import Awaitable, Callable, Mapping

from bookshelf.runtime.health import live
from bookshelf.runtime.http.message import Request, Response
from bookshelf.runtime.http.problem import Problem
from bookshelf.runtime.http.router import Router
from bookshelf.runtime.telemetry import Meters
from gateway.pages import apidocs
from gateway.pages.page import Page, Redirect
from gateway.routes.directory import Directory

Endpoint = Callable[[Request, Mapping[str, str]], Awaitable[Response]]


class Pages:
    """Everything that is not forwarded."""

    def __init__(self, directory: Directory, meters: Meters) -> None:
        self._directory = directory
        self._meters = meters
        self._document = Page(b"", "")
        self.router: Router[Endpoint] = Router()
        for path, endpoint in self._endpoints().items():
            self.router.add("GET", path, endpoint)

    def _endpoints(self) -> Mapping[str, Endpoint]:
        return {
            "/": Redirect(307, "/apidocs/"),
            "/apidocs": Redirect(308, "/apidocs/"),
            **apidocs.pages(),
            "/openapi.json": self._openapi,
            "/health/live": live,
            "/health/ready": self._ready,
            "/metrics": self._metrics,
        }

    async def _openapi(self, request: Request, path: Mapping[str, str]) -> Response:
        if self._document.body is not self._directory.document:
            self._document = Page(self._directory.document, "application/json")
        return await self._document(request, path)

    async def _ready(self, request: Request, path: Mapping[str, str]) -> Response:
        if not self._directory.can_route:
            raise Problem("unavailable", self._directory.missing() or "no service is known")
        return await live(request, path)

    async def _metrics(self, _request: Request, _path: Mapping[str, str]) -> Response:
        media_type, text = self._meters.page()
        return Response(200, {"Content-Type": media_type, "Cache-Control": "no-store"}, text)
