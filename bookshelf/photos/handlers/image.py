"""Serves the images of photos."""

import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

from multidict import CIMultiDict

from bookshelf.config import PhotoSettings
from bookshelf.cqrs.errors import Gone, NotFound
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Fault, Problem
from bookshelf.media.pictures import blob_response
from bookshelf.photos.events import StoredImage
from bookshelf.photos.images import NAMESPACE, SIZES, VIEW, image_of, is_removed
from bookshelf.runtime.api import header_fields

#: The form of a photo's id; any other is not looked up.
PHOTO_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LARGEST = "2048"


@dataclass(frozen=True)
class Images:
    """The handler of images; a cache keeps one for `cache_s` seconds, and with 0 asks again each time."""

    cache_s: int

    async def show(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Return the image of a photo in a size, or a part of it. Raises `Problem`, `Gone`, `NotFound`."""
        photo, size = context.path["id"], _size(request)
        if PHOTO_ID.fullmatch(photo) is None:
            raise NotFound("there is no such photo")
        after, to_end = header_fields.after(request.headers), header_fields.to_end(request.headers)
        found = await ports.query(
            VIEW, lambda db: _look_up(db, photo, size), after, to_end=to_end, key=(photo, size)
        )
        if found == "removed":
            raise Gone("the photo was removed")
        if found is None:
            raise NotFound("there is no such photo")
        cache = f"public, max-age={self.cache_s}" if self.cache_s else "no-cache"
        headers = CIMultiDict(
            {
                "Content-Type": found.type,
                "Cache-Control": cache,
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Cross-Origin-Resource-Policy": "same-origin",
                "X-Content-Type-Options": "nosniff",
            }
        )
        return await blob_response(request, ports.blobs, f"{NAMESPACE}/{found.digest}", headers)


def _look_up(db: Any, photo: str, size: str) -> StoredImage | Literal["removed"] | None:  # noqa: ANN401 (the storage's)
    return image_of(db, photo, size) or ("removed" if is_removed(db, photo) else None)


def _size(request: Request) -> str:
    """Return the size that a request names. Raises `Problem`."""
    size = dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True)).get("size", _LARGEST)
    if size not in SIZES:
        detail = f"must be one of {', '.join(SIZES)}"
        raise Problem("invalid", f"size {detail}", Fault(detail, parameter="size"))
    return size


def image_route(settings: PhotoSettings) -> HandlerRoute:
    """Return the route of images, for these settings."""
    return HandlerRoute(
        path="/photos/{id}/image",
        summary="The image of a photo",
        handler=Images(settings.photos_cache_s).show,
        requires=None,
    )
