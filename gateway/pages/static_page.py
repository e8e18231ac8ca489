"""Pages that never change: files with their cache headers, among them the API documentation."""

from collections.abc import Mapping
from hashlib import blake2b
from importlib.resources import files

from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.header_fields import unchanged

#: Asked for anew each time, and then mostly answered with 304.
REVALIDATED = "no-cache"


class Page:
    """An endpoint that always answers the same. `more` are headers beside the usual ones."""

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
        """Answer with it, or that it is what the client has."""
        if unchanged(request.headers, self._tag):
            return Response(304, self._kept)
        return Response(200, self._headers, self.body)


class RedirectPage:
    """An endpoint that sends elsewhere."""

    def __init__(self, status: int, location: str) -> None:
        self._status = status
        self._headers = {"Location": location, "Cache-Control": REVALIDATED}

    async def __call__(self, _request: Request, _path: Mapping[str, str]) -> Response:
        """Send there."""
        return Response(self._status, self._headers)


#: Swagger UI writes styles into its elements and has its icons in its style sheet, as data: addresses.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
_HTML = "text/html; charset=utf-8"
_SCRIPT = "text/javascript; charset=utf-8"

#: Vendored files change only with a release of ours; a day is soon enough.
_KEPT = "public, max-age=86400"

#: Every file that is served: its media type and how long it is kept.
_FILES = {
    "index.html": (_HTML, REVALIDATED),
    "initializer.js": (_SCRIPT, REVALIDATED),
    "swagger-ui-bundle.js": (_SCRIPT, _KEPT),
    "swagger-ui.css": ("text/css; charset=utf-8", _KEPT),
    "favicon-32x32.png": ("image/png", _KEPT),
}


def apidocs_pages() -> Mapping[str, Page]:
    """Read the files; return them by the path that each is served at."""
    folder = files("gateway") / "swagger"
    found = {
        f"/apidocs/{name}": Page((folder / name).read_bytes(), media_type, cache, _HEADERS)
        for name, (media_type, cache) in _FILES.items()
    }
    return found | {"/apidocs/": found["/apidocs/index.html"]}
