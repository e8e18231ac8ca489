"""Takes in an uploaded picture, and serves its renditions; the covers of books are the first of these."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec
from multidict import CIMultiDict

from bookshelf.http.byte_ranges import requested_range
from bookshelf.http.message import BytesBody, Request, Response
from bookshelf.http.problem import Fault, Problem
from bookshelf.media.port import (
    BlobFault,
    BlobMissing,
    BlobStore,
    ConvertedPicture,
    PictureLimits,
    PictureRefused,
    Pictures,
    PicturesBusy,
    WholeBlob,
)

#: The media type of every rendition.
PICTURE_TYPE = "image/webp"
#: What a browser may do with a picture that it opens as a page: show it.
_HEADERS = {
    "Content-Type": PICTURE_TYPE,
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}

#: Headers of requests that may want less than the whole blob.
_CONDITIONS = ("If-None-Match", "Range")
_KEPT = "max-age=31536000, immutable"
#: The parts of a WebP file that are pixels or their number.
_PIXELS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH"})


class StoredPicture(msgspec.Struct, frozen=True):
    """A picture whose renditions are stored: digest, bytes, pixels and mean colour of the largest one."""

    digest: str
    size: int
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
    made = await convert_upload(path, pictures, limits, field)
    return await put_picture(made, namespace, blobs)


async def convert_upload(
    path: Path, pictures: Pictures, limits: PictureLimits | None = None, field: str = "file"
) -> ConvertedPicture:
    """Return the renditions of a file. Raises `Problem`: media-type, invalid, unavailable."""
    with _refusals(field):
        return await pictures.convert(path, limits or PictureLimits())


async def put_picture(made: ConvertedPicture, namespace: str, blobs: BlobStore) -> StoredPicture:
    """Store the renditions of a picture, which may be there already. Raises `Problem`: unavailable."""
    with _refusals("file"):
        return await _put(made, made.renditions[max(made.renditions)], namespace, blobs)


async def restore_picture(content: bytes, name: str, pictures: Pictures, blobs: BlobStore) -> None:
    """Store a picture that `store_picture` has made once, under its name NAMESPACE/DIGEST.

    It is stored as it is, once it was decoded: a WebP file of pixels only, whose digest is that of its name.
    Raises `Problem`: media-type, invalid, unavailable.
    """
    namespace, _, digest = name.partition("/")
    if not _is_plain_webp(content) or blake2b(content, digest_size=32).hexdigest() != digest:
        raise Problem("invalid", "the picture is none that was exported under this name")
    with NamedTemporaryFile(suffix=".webp") as file, _refusals("file"):
        file.write(content)
        file.flush()
        made = await pictures.convert(Path(file.name), PictureLimits())
        await _put(made, content, namespace, blobs)


async def _put(made: ConvertedPicture, whole: bytes, namespace: str, blobs: BlobStore) -> StoredPicture:
    """Store the renditions of a picture; `whole` is the largest one."""
    digest = blake2b(whole, digest_size=32).hexdigest()
    # the picture itself is last: once it is there, all is
    for width in sorted(made.renditions)[:-1]:
        await blobs.put(f"{namespace}/{digest}-{width}", BytesBody(made.renditions[width]).stream())
    await blobs.put(f"{namespace}/{digest}", BytesBody(whole).stream())
    return StoredPicture(digest, len(whole), made.width, made.height, made.colour)


@contextmanager
def _refusals(field: str) -> Iterator[None]:
    """Raise what goes wrong with a picture as a `Problem` of this field."""
    try:
        yield
    except PictureRefused as refusal:
        raise _refusal(refusal, field) from None
    except PicturesBusy as fault:
        raise Problem("unavailable", str(fault)) from None
    except BlobFault as fault:
        raise Problem("unavailable", "the picture cannot be stored right now; try again later") from fault


def _is_plain_webp(content: bytes) -> bool:
    """Return True for a WebP file that has pixels, and neither metadata nor anything behind them."""
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        return False
    if int.from_bytes(content[4:8], "little") + 8 != len(content):
        return False
    place = 12
    while place < len(content):
        if content[place : place + 4] not in _PIXELS:
            return False
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        place += 8 + size + size % 2
    return place == len(content)


def _refusal(refusal: PictureRefused, field: str) -> Problem:
    kind = "media-type" if refusal.kind == "format" else "invalid"
    return Problem(kind, f"the file {refusal}", Fault(f"the file {refusal}", pointer=f"/{field}"))


async def picture_response(
    request: Request, blobs: BlobStore, name: str, *, private: bool = False
) -> Response:
    """Return a stored rendition, or the part of it that is asked for; no shared cache keeps a private one.

    Raises `Problem`: not-found, range, unavailable.
    """
    cache = f"{'private' if private else 'public'}, {_KEPT}"
    return await blob_response(request, blobs, name, CIMultiDict({**_HEADERS, "Cache-Control": cache}))


async def blob_response(request: Request, blobs: BlobStore, name: str, headers: CIMultiDict[str]) -> Response:
    """Return a blob with these headers, or the part of it that is asked for.

    Raises `Problem`: not-found, range, unavailable.
    """
    try:
        return await _response(request, blobs, name, headers)
    except (BlobMissing, ValueError):
        raise Problem("not-found", "there is no such picture") from None
    except BlobFault as fault:
        raise Problem("unavailable", "the picture cannot be read right now; try again") from fault


async def _response(request: Request, blobs: BlobStore, name: str, headers: CIMultiDict[str]) -> Response:
    tag = f'"{name.rpartition("/")[2]}"'
    headers = CIMultiDict({**headers, "ETag": tag, "Accept-Ranges": "bytes"})
    if request.method == "GET" and not any(one in request.headers for one in _CONDITIONS):
        about, pieces = await blobs.open(name)
        headers["Content-Length"] = str(about.size)
        return Response(200, headers, _body(pieces))
    return await _conditional(request, blobs, name, headers)


async def _conditional(request: Request, blobs: BlobStore, name: str, headers: CIMultiDict[str]) -> Response:
    """Return what a request asks for that does not ask for the whole blob in any case."""
    tag = headers["ETag"]
    about = await blobs.stat(name)
    if about is None:
        raise BlobMissing(name)
    if tag in request.headers.get("If-None-Match", ""):
        return Response(304, headers)
    part = requested_range(request.headers, about.size, tag) if request.method == "GET" else None
    headers["Content-Length"] = str(about.size if part is None else len(part))
    if request.method == "HEAD":
        return Response(200, headers)
    _, pieces = await blobs.open(name, part)
    if part is None:
        return Response(200, headers, _body(pieces))
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{about.size}"
    return Response(206, headers, _body(pieces))


def _body(pieces: AsyncIterator[bytes]) -> bytes | AsyncIterator[bytes]:
    """Return the bytes of a blob that is in memory as they are: head and body are sent at once then."""
    return pieces.content if isinstance(pieces, WholeBlob) else pieces
