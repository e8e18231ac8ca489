"""What the gateway serves itself and is the same for everyone: a body, its type, its entity tag."""

from collections.abc import Mapping
from hashlib import blake2b

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
