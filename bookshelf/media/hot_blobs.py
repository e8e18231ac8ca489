"""Small blobs that were read lately, in memory: what is shown often is read from its storage once."""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from bookshelf.http.message import close_body
from bookshelf.media.port import BlobInfo, BlobStore, WholeBlob

#: The most bytes of one blob in memory, and of all. Slow clients share the bytes of a blob.
_EACH = 1 << 20
_ALL = 32 << 20
#: A blob is read again after so many seconds, because another process may have deleted it.
_KEPT_S = 60.0


class HotBlobs:
    """Reads whole blobs from memory, and all else from `store`. `now` returns seconds of a steady clock.

    Only `open` is answered from memory: whether a blob is there, as a sweep asks, is asked of the storage.
    """

    def __init__(self, store: BlobStore, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now = now
        self._kept: OrderedDict[str, tuple[BlobInfo, bytes, float]] = OrderedDict()
        self._bytes = 0
        self._deletions = 0

    @property
    def unfinished(self) -> Path:
        """The folder for files that are arriving."""
        return self._store.unfinished

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Store a blob, or renew its modification time. Raises `BlobFault`, `ValueError`."""
        self._forget(name)
        await self._store.put(name, pieces)

    async def open(self, name: str, part: range | None = None) -> tuple[BlobInfo, AsyncIterator[bytes]]:
        """Return a blob and its bytes, or a part of them. Raises `BlobFault`, `BlobMissing`, `ValueError`."""
        kept = self._kept.get(name)
        if kept is not None and self._now() < kept[2]:
            self._kept.move_to_end(name)
            about, content, _ = kept
            return about, WholeBlob(content if part is None else content[part.start : part.stop])
        self._forget(name)
        deletions = self._deletions
        about, pieces = await self._store.open(name, part)
        if part is not None or about.size > _EACH:
            return about, pieces
        try:
            content = b"".join([piece async for piece in pieces])
        finally:
            await close_body(pieces)
        if deletions == self._deletions:
            self._keep(name, about, content)
        return about, WholeBlob(content)

    async def stat(self, name: str) -> BlobInfo | None:
        """Return what a blob is; None if there is none. Raises `BlobFault`, `ValueError`."""
        return await self._store.stat(name)

    async def delete(self, name: str) -> None:
        """Delete a blob. Raises `BlobFault`, `ValueError`."""
        try:
            await self._store.delete(name)
        finally:
            self._deleted(name)

    async def discard(self, about: BlobInfo) -> bool:
        """Delete a blob unless it was put again since `about` was read. Raises `BlobFault`, `ValueError`."""
        try:
            return await self._store.discard(about)
        finally:
            self._deleted(about.name)

    async def namespaces(self) -> frozenset[str]:
        """Return the namespaces that have blobs, or had some. Raises `BlobFault`."""
        return await self._store.namespaces()

    def list(self, namespace: str) -> AsyncIterator[BlobInfo]:
        """Yield every blob of a namespace. Raises `BlobFault`."""
        return self._store.list(namespace)

    def _keep(self, name: str, about: BlobInfo, content: bytes) -> None:
        self._forget(name)
        self._kept[name] = about, content, self._now() + _KEPT_S
        self._bytes += len(content)
        while self._bytes > _ALL:
            self._forget(next(iter(self._kept)))

    def _deleted(self, name: str) -> None:
        """Forget a blob that was deleted, also if it is being read right now."""
        self._deletions += 1
        self._forget(name)

    def _forget(self, name: str) -> None:
        if (kept := self._kept.pop(name, None)) is not None:
            self._bytes -= len(kept[1])
