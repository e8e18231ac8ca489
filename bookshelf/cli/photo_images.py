"""Reads the images of photos: each must be there under its digest, whole, and have pixels only."""

from hashlib import blake2b

import msgspec

from bookshelf.media.plain_images import foreign_parts
from bookshelf.media.port import BlobMissing, BlobStore
from bookshelf.photos.images import NAMESPACE
from bookshelf.photos.published import PublishedPhotos

#: Texts of a report for each kind of violation.
_MOST = 1000


class ImageReport(msgspec.Struct, kw_only=True):
    """What was read, and what is wrong: up to a thousand of each kind are described."""

    photos: int = 0
    images: int = 0
    bytes: int = 0
    violations: int = 0
    missing: list[str] = msgspec.field(default_factory=list)
    damaged: list[str] = msgspec.field(default_factory=list)
    unclean: list[str] = msgspec.field(default_factory=list)
    unreadable: list[str] = msgspec.field(default_factory=list)


async def check_images(published: PublishedPhotos, blobs: BlobStore) -> ImageReport:
    """Read every image once, however many photos name it. Raises `BlobFault`."""
    found = ImageReport(photos=len(published.images), unreadable=published.unreadable[:_MOST])
    found.violations = len(published.unreadable)
    images = {image.digest: image for shown in published.images.values() for image in shown}
    for digest, image in sorted(images.items()):
        found.images += 1
        content = await _content(blobs, digest)
        if content is None:
            _note(found, found.missing, digest, published)
        elif blake2b(content, digest_size=32).hexdigest() != digest or len(content) != image.bytes:
            _note(found, found.damaged, digest, published)
        elif parts := foreign_parts(content, image.type):
            _note(found, found.unclean, digest, published, f", has {', '.join(parts)}")
        found.bytes += len(content or b"")
    return found


def _note(
    found: ImageReport, texts: list[str], digest: str, published: PublishedPhotos, what: str = ""
) -> None:
    found.violations += 1
    if len(texts) < _MOST:
        named = ", ".join(published.photos_of([digest])[digest])
        texts.append(f"{digest} of {named}{what}")


async def _content(blobs: BlobStore, digest: str) -> bytes | None:
    try:
        _, pieces = await blobs.open(f"{NAMESPACE}/{digest}")
    except BlobMissing:
        return None
    return b"".join([piece async for piece in pieces])
