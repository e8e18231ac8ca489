"""The ports for blobs and for pictures. Every adapter of the first passes test/contract/blob_contract.py."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

#: NAMESPACE/DIGEST, or NAMESPACE/DIGEST-WIDTH for a smaller rendition of the picture with this digest.
BLOB_NAME = re.compile(r"([a-z]{1,32})/([0-9a-f]{64})(-[0-9]{1,5})?", re.ASCII)
#: Bytes of one piece of a blob that is read.
PIECE = 64 << 10


class BlobFault(Exception):
    """The blob storage cannot be used; the message has the reason."""


class BlobMissing(Exception):
    """There is no blob of this name."""


class BlobInfo(msgspec.Struct, frozen=True):
    """A blob's name, size in bytes, and the time of its last `put` in seconds since 1970."""

    name: str
    size: int
    modified: float


class WholeBlob:
    """The bytes of a blob that are in memory, as one piece: `content` can be sent without another copy."""

    __slots__ = ("_left", "content")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._left = bool(content)

    def __aiter__(self) -> "WholeBlob":
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        self._left = False
        return self.content


class BlobStore(Protocol):
    """Stores blobs by name. Each namespace belongs to one service, which alone deletes in it.

    Every method raises `BlobFault`, and `ValueError` for a name that `BLOB_NAME` does not match.
    """

    @property
    def unfinished(self) -> Path:
        """The folder for files that are arriving. What was left there is deleted after an hour."""

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Store a blob, or renew the modification time of an existing one; durable once it returns.

        The name's digest is that of the content, BLAKE2b-256, unless it names a rendition; `ValueError` is
        raised if it is not.
        """

    async def open(self, name: str, part: range | None = None) -> tuple[BlobInfo, AsyncIterator[bytes]]:
        """Return what a blob is and its bytes, or these of them, piece by piece. Raises `BlobMissing`."""

    async def stat(self, name: str) -> BlobInfo | None:
        """Return what a blob is; None if there is none."""

    async def delete(self, name: str) -> None:
        """Delete a blob. It is no error if there is none."""

    async def discard(self, about: BlobInfo) -> bool:
        """Delete a blob unless it was put again since `about` was read; return True if it is deleted."""

    def list(self, namespace: str) -> AsyncIterator[BlobInfo]:
        """Yield every blob of a namespace, in the order of the names."""

    async def namespaces(self) -> frozenset[str]:
        """Return the namespaces that have blobs, or had some."""


def check_name(name: str) -> tuple[str, str, bool]:
    """Return the namespace and the digest of a blob's name, and whether it names a rendition.

    Raises `ValueError`.
    """
    match = BLOB_NAME.fullmatch(name)
    if match is None:
        msg = f"{name[:120]!r} is no name of a blob"
        raise ValueError(msg)
    return match[1], match[2], match[3] is not None


class PictureLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a picture may be, and what becomes of it: WebP of at most these widths, the largest first.

    A rendition is at most four times as high as wide. Only the first frame of an animation is used; `frames`:
    the most that it may have. A worker may use so many bytes of `memory`, and `cpu_s` seconds of processor
    time.
    """

    pixels: int = 40_000_000
    side: int = 20_000
    frames: int | None = None
    memory: int = 1 << 30
    cpu_s: int = 20
    widths: tuple[int, ...] = (480, 240)


class PhotoLimits(PictureLimits, frozen=True, kw_only=True):
    """What a photo may be, and what becomes of it.

    `widths` are those of its stills. `master`: the longest side of the largest image, in pixels; `moving`:
    that of an animation. `frames_pixels`: of all frames of an animation together. `placeholder`: the most
    bytes of a WebP picture of 16 pixels in width.
    """

    pixels: int = 100_000_000
    frames: int | None = 300
    frames_pixels: int = 200_000_000
    widths: tuple[int, ...] = (2048, 1024, 320)
    master: int = 4096
    moving: int = 1024
    placeholder: int = 400


class PictureRefused(Exception):
    """A file is no picture that can be used. `kind`: format, pixels, frames, or unreadable."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class PicturesBusy(Exception):
    """The machine has no time for the picture, or too many wait; a later attempt may succeed."""


class ConvertedPicture(msgspec.Struct, frozen=True):
    """A converted picture: size in pixels of the largest rendition, mean colour as `#rrggbb`.

    `renditions` are WebP files by the width that was asked for.
    """

    width: int
    height: int
    colour: str
    renditions: Mapping[int, bytes]


class MadeImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a photo: its file, pixels, bytes, media type, and digest (BLAKE2b-256)."""

    file: str
    width: int
    height: int
    bytes: int
    type: str
    digest: str


class MadePhoto(msgspec.Struct, frozen=True, kw_only=True):
    """A converted photo: its largest image, stills of it (the smallest first), and a tiny WebP picture."""

    master: MadeImage
    stills: tuple[MadeImage, ...]
    placeholder: bytes
    animated: bool


class NotStored(Exception):
    """The images of a photo cannot be written; a later attempt may succeed."""


class Pictures(Protocol):
    """Converts pictures, away from the service's own process, which parses no image data."""

    async def convert(self, path: Path, limits: PictureLimits) -> ConvertedPicture:
        """Return the renditions of a file. Raises `PictureRefused`, `PicturesBusy`."""

    async def make_photo(self, path: Path, into: Path, limits: PhotoLimits) -> MadePhoto:
        """Write the images of a photo into a folder. Raises `PictureRefused`, `PicturesBusy`, `NotStored`."""
