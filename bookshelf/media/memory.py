"""Blobs in memory, for tests and simulations."""

import time
from collections.abc import AsyncIterator, Callable
from hashlib import blake2b
from pathlib import Path
from tempfile import gettempdir

from bookshelf.media.port import PIECE, BlobInfo, BlobMissing, check_name


class MemoryBlobs:
    """Stores blobs in memory. `now` returns seconds since 1970."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._blobs: dict[str, tuple[bytes, float]] = {}

    @property
    def unfinished(self) -> Path:
        """The folder for files that are arriving: that of the system."""
        return Path(gettempdir())

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Store a blob, or renew its modification time. Raises `ValueError`."""
        _, named, is_rendition = check_name(name)
        content = b"".join([piece async for piece in pieces])
        if not is_rendition and blake2b(content, digest_size=32).hexdigest() != named:
            msg = f"the content of {name} has another digest"
            raise ValueError(msg)
        self._blobs[name] = content, self._now()

    async def open(self, name: str, part: range | None = None) -> tuple[BlobInfo, AsyncIterator[bytes]]:
        """Return a blob and its bytes, or a part of them. Raises `BlobMissing`, `ValueError`."""
        about = await self.stat(name)
        if about is None:
            raise BlobMissing(name)
        content = self._blobs[name][0]
        return about, _pieces(content if part is None else content[part.start : part.stop])

    async def stat(self, name: str) -> BlobInfo | None:
        """Return what a blob is; None if there is none. Raises `ValueError`."""
        check_name(name)
        found = self._blobs.get(name)
        return None if found is None else BlobInfo(name, len(found[0]), found[1])

    async def delete(self, name: str) -> None:
        """Delete a blob. Raises `ValueError`."""
        check_name(name)
        self._blobs.pop(name, None)

    async def discard(self, about: BlobInfo) -> bool:
        """Delete a blob unless it was put again since `about` was read; return True if it is deleted."""
        if await self.stat(about.name) != about:
            return False
        await self.delete(about.name)
        return True

    async def namespaces(self) -> frozenset[str]:
        """Return the namespaces that have blobs."""
        return frozenset(name.partition("/")[0] for name in self._blobs)

    async def list(self, namespace: str) -> AsyncIterator[BlobInfo]:
        """Yield every blob of a namespace."""
        for name, (content, modified) in sorted(self._blobs.items()):
            if name.startswith(f"{namespace}/"):
                yield BlobInfo(name, len(content), modified)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]
