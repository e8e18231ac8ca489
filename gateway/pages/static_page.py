"""Static pages: files with cache headers, among them the API documentation."""

from collections.abc import Mapping
from hashlib import blake2b
from importlib.resources import files

from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.header_fields import unchanged

#: Revalidated on each request, mostly with a 304.
REVALIDATED = "no-cache"


class Page:
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


def apidocs_pages() -> Mapping[str, Page]:
    """Read the files of the API documentation; return their pages by path."""
    folder = files("gateway") / "swagger"
    pages = {
        f"/apidocs/{name}": Page((folder / name).read_bytes(), media_type, cache, _HEADERS)
        for name, (media_type, cache) in _FILES.items()
    }
    return pages | {"/apidocs/": pages["/apidocs/index.html"]}
