"""Which pages of other origins may use this from a browser (the Fetch standard's CORS protocol)."""

from collections.abc import Iterable

from multidict import CIMultiDict

from bookshelf.http.message import Request, Response

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_HEADERS = (
    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Bookshelf-After, traceparent, "
    "X-Request-Id"
)
_EXPOSED = (
    "ETag, Location, Link, Retry-After, Bookshelf-Position, Idempotency-Key, "
    "Idempotency-Replayed, X-Request-Id"
)
#: Seconds that a browser may remember what it was told.
_REMEMBERED_S = "600"


class Cors:
    """Origins that are let in: some, or all of them; none by default. Never with cookies."""

    def __init__(self, origins: Iterable[str] = ()) -> None:
        self._origins = frozenset(origins)
        self._all = "*" in self._origins

    def preflight(self, request: Request) -> Response | None:
        """Answer a browser that asks beforehand; None if it does not, or is not let in."""
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
        """Say in an answer that the page which asked may read it."""
        if not self._origins:
            return
        if not self._all:
            headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin is not None and self.allows(origin):
            headers["Access-Control-Allow-Origin"] = "*" if self._all else origin
            headers["Access-Control-Expose-Headers"] = _EXPOSED

    def allows(self, origin: str) -> bool:
        """Return True if pages of this origin may use this."""
        return self._all or origin in self._origins
