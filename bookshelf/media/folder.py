"""Blobs as files: NAMESPACE/ab/cd/NAME. A file appears whole, by renaming, or not at all."""

import contextlib
import os
from collections.abc import AsyncIterator
from io import FileIO
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from bookshelf.media.arriving import ArrivingFiles, in_thread
from bookshelf.media.port import BlobInfo, BlobMissing, check_name

#: The folder of files that are being written.
UNFINISHED = "tmp"
#: Bytes that are read at once: few stills are larger. A slow client makes the service hold as many.
_PIECE = 512 << 10


class FolderBlobs:
    """Stores blobs in a folder, which is made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._arriving = ArrivingFiles(path / UNFINISHED)

    @property
    def unfinished(self) -> Path:
        """The folder for what is arriving, made if need be. What was left there is deleted after an hour."""
        return self._arriving.folder

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Store a blob, or renew its modification time. Raises `BlobFault`, `ValueError`."""
        place = self._place(name)
        async with self._arriving.received(name, pieces) as (file, path):
            await in_thread(_publish, file, path, place)

    async def open(self, name: str, part: range | None = None) -> tuple[BlobInfo, AsyncIterator[bytes]]:
        """Return a blob and its bytes, or a part of them. Raises `BlobFault`, `BlobMissing`, `ValueError`."""
        try:
            return await in_thread(_open, name, self._place(name), part)
        except FileNotFoundError:
            raise BlobMissing(name) from None

    async def stat(self, name: str) -> BlobInfo | None:
        """Return what a blob is; None if there is none. Raises `BlobFault`, `ValueError`."""
        try:
            return await in_thread(_info, name, self._place(name))
        except FileNotFoundError:
            return None

    async def delete(self, name: str) -> None:
        """Delete a blob. Raises `BlobFault`, `ValueError`."""
        await in_thread(self._place(name).unlink, missing_ok=True)

    async def discard(self, about: BlobInfo) -> bool:
        """Delete a blob unless it was put again since `about` was read; return True if it is deleted.

        It is renamed first: one that was put again up to then is put back. Raises `BlobFault`, `ValueError`.
        """
        return await in_thread(_discard, about, self._place(about.name), self.unfinished)

    async def namespaces(self) -> frozenset[str]:
        """Return the namespaces that have folders. Raises `BlobFault`."""
        found = await in_thread(lambda: [path.name for path in self._path.glob("*") if path.is_dir()])
        return frozenset(found) - {UNFINISHED}

    async def list(self, namespace: str) -> AsyncIterator[BlobInfo]:
        """Yield every blob of a namespace. Raises `BlobFault`."""
        for blob in await in_thread(_blobs_in, self._path / namespace, namespace):
            yield blob

    def _place(self, name: str) -> Path:
        namespace, digest, _ = check_name(name)
        return self._path / namespace / digest[:2] / digest[2:4] / name.partition("/")[2]


def _open(name: str, path: Path, part: range | None) -> "tuple[BlobInfo, _FilePieces]":
    file = path.open("rb", buffering=0)
    try:
        about = os.fstat(file.fileno())
        pieces = _FilePieces(file, range(about.st_size) if part is None else part)
    except BaseException:
        file.close()
        raise
    return BlobInfo(name, about.st_size, about.st_mtime), pieces


def _publish(file: BinaryIO, path: Path, place: Path) -> None:
    """Make a file durable and give it its place; a blob that is there already gets a new time."""
    file.flush()
    os.fsync(file.fileno())
    new = [folder for folder in place.parents if not folder.exists()]
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.replace(place)
    for folder in (place.parent, *(made.parent for made in new)):
        _flush(folder)


def _discard(about: BlobInfo, place: Path, unfinished: Path) -> bool:
    unfinished.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = mkstemp(dir=unfinished)
    os.close(descriptor)
    aside = Path(draft)
    try:
        if place.stat().st_mtime != about.modified:
            return False
        place.replace(aside)
        if aside.stat().st_mtime == about.modified:
            return True
        with contextlib.suppress(FileExistsError):  # it was put once more
            os.link(aside, place)
    except FileNotFoundError:  # another sweep has deleted it
        return False
    finally:
        aside.unlink(missing_ok=True)
    return False


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _FilePieces:
    """The bytes of a part of a file. The file is closed after its last byte is read, or by `aclose`.

    The first piece is read at once, so that a small file needs its thread once. Raises `OSError`.
    """

    def __init__(self, file: BinaryIO | FileIO, part: range) -> None:
        self._file = file
        self._left = len(part)
        file.seek(part.start)
        self._first: bytes | None = self._read()

    def _read(self) -> bytes:
        piece = self._file.read(min(_PIECE, self._left)) or b""
        self._left = self._left - len(piece) if piece else 0
        if not self._left:
            self._file.close()
        return piece

    def __aiter__(self) -> "_FilePieces":
        return self

    async def __anext__(self) -> bytes:
        piece, self._first = self._first, None
        if piece is None:
            piece = await in_thread(self._read) if self._left else b""
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Close the file, whether its bytes were read or not."""
        self._first, self._left = b"", 0
        self._file.close()


def _blobs_in(folder: Path, namespace: str) -> list[BlobInfo]:
    found = []
    for path in sorted(folder.glob("??/??/*")):
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
            found.append(_info(f"{namespace}/{path.name}", path))
    return found


def _info(name: str, path: Path) -> BlobInfo:
    about = path.stat()
    return BlobInfo(name, about.st_size, about.st_mtime)
