"""Takes in an uploaded picture, and serves its renditions; the covers of books are the first of these."""

from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path

import msgspec
from multidict import CIMultiDict

from bookshelf.http.message import Request, Response, close_body
from bookshelf.http.problem import Fault, Problem
from bookshelf.media.port import (
    BlobFault,
    BlobMissing,
    BlobStore,
    PictureLimits,
    PictureRefused,
    Pictures,
    PicturesBusy,
)

#: What a browser may do with a picture that it opens as a page: show it.
_HEADERS = {
    "Content-Type": "image/webp",
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


class StoredPicture(msgspec.Struct, frozen=True):
    """A picture whose renditions are stored: digest, size in pixels and mean colour of the largest one."""

    digest: str
    width: int
    height: int
    colour: str


async def store_picture(
    path: Path,
    namespace: str,
    pictures: Pictures,
    blobs: BlobStore,
    limits: PictureLimits | None = None,
    field: str = "file",
) -> StoredPicture:
    """Convert a file and store its renditions: NAMESPACE/DIGEST, and NAMESPACE/DIGEST-WIDTH for smaller ones.

    `field` is the field of the form that has the file. Raises `Problem`: media-type, invalid, unavailable.
    """
    limits = limits or PictureLimits()
    try:
        made = await pictures.convert(path, limits)
        largest, *smaller = sorted(limits.widths, reverse=True)
        digest = blake2b(made.renditions[largest], digest_size=32).hexdigest()
        # the picture itself is last: once it is there, all is
        for width in smaller:
            await blobs.put(f"{namespace}/{digest}-{width}", _whole(made.renditions[width]))
        await blobs.put(f"{namespace}/{digest}", _whole(made.renditions[largest]))
    except PictureRefused as refusal:
        raise _refusal(refusal, field) from None
    except PicturesBusy as fault:
        raise Problem("unavailable", str(fault)) from None
    except BlobFault as fault:
        raise Problem("unavailable", "the picture cannot be stored right now; try again later") from fault
    return StoredPicture(digest, made.width, made.height, made.colour)


def _refusal(refusal: PictureRefused, field: str) -> Problem:
    kind = "media-type" if refusal.kind == "format" else "invalid"
    return Problem(kind, f"the file {refusal}", Fault(f"the file {refusal}", pointer=f"/{field}"))


async def picture_response(request: Request, blobs: BlobStore, name: str) -> Response:
    """Return a stored rendition. Raises `Problem`: not-found, unavailable."""
    try:
        about, pieces = await blobs.open(name)
    except (BlobMissing, ValueError):
        raise Problem("not-found", "there is no such picture") from None
    except BlobFault as fault:
        raise Problem("unavailable", "the picture cannot be read right now; try again") from fault
    tag = f'"{name.rpartition("/")[2]}"'
    headers = CIMultiDict({**_HEADERS, "ETag": tag})
    if tag in request.headers.get("If-None-Match", ""):
        await close_body(pieces)
        return Response(304, headers)
    headers["Content-Length"] = str(about.size)
    return Response(200, headers, pieces)


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
