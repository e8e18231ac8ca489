"""CORS: which other origins' pages may use the gateway from a browser (Fetch standard)."""

from collections.abc import Iterable

from multidict import CIMultiDict

from bookshelf.http.message import Request, Response

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
