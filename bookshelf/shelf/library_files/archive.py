"""Opens an archive of a shelf: its books as JSON lines, and the pictures of their covers.

Archives come from readers: names in them are never paths, and each read ends at a limit. What an archive has
beside its books and covers is not read.
"""

import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.library_files.entry import Entry, NotALibrary
from bookshelf.shelf.library_files.library import Library
from bookshelf.shelf.limits import COVER_BYTES, FILE_MAX

#: The names in an archive: that of the books, and those of covers, which are named by their digests.
BOOKS = "bookshelf.jsonl"
COVER = "covers/{digest}.webp"
_COVER = re.compile(r"covers/([0-9a-f]{64})\.webp", re.ASCII)
#: Bytes of the list of names: 121 for each cover.
_NAMES_BYTES = 16 << 20
_PIECE = 1 << 20
_ZIP = b"PK\x03\x04"
_END, _END_SIZE, _COMMENT = b"PK\x05\x06", 22, 0xFFFF
_END_64, _END_64_SIZE = b"PK\x06\x06", 56
_FAULTS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, struct.error, ValueError)


class LibraryArchive:
    """An open archive. `books` is a copy of its books in a file of its own."""

    def __init__(self, archive: zipfile.ZipFile, books: Path) -> None:
        self._archive = archive
        self.books = books
        self._names = {
            found[1]: name for name in archive.namelist() if (found := _COVER.fullmatch(name)) is not None
        }

    def cover(self, digest: str) -> bytes | None:
        """Return the picture of a cover; None if the archive lacks it, or it cannot be read."""
        if (name := self._names.get(digest)) is None:
            return None
        try:
            with self._archive.open(name) as file:
                content = file.read(COVER_BYTES + 1)
        except _FAULTS:
            return None
        return content if len(content) <= COVER_BYTES else None


@contextmanager
def open_archive(path: Path, most: int = FILE_MAX) -> Iterator[LibraryArchive | None]:
    """Yield the archive that a file is; None if it is a file of another kind. Raises `NotALibrary`.

    `most`: the bytes that its books may have.
    """
    if not _is_zip(path):
        yield None
        return
    with NamedTemporaryFile(suffix=".jsonl") as books:
        try:
            archive = _opened(path)
        except _FAULTS as fault:
            raise NotALibrary(_damaged(path, fault)) from fault
        with archive:
            if BOOKS not in archive.namelist():
                yield None  # a workbook, perhaps: what reads tables names it
                return
            try:
                _copy(archive, books, path, most)
            except _FAULTS as fault:
                raise NotALibrary(_damaged(path, fault)) from fault
            yield LibraryArchive(archive, Path(books.name))


def cover_digests(library: Library) -> set[str]:
    """Return the digests of the covers that the books of a library have."""
    return {line.cover.digest for line in library if isinstance(line, Entry) and line.cover is not None}


def unusable_covers(count: int) -> Phrase:
    """Return a remark on covers that an archive lacks, or whose pictures cannot be used."""
    return phrase("{count} covers are missing in the archive or are no pictures of an export", count=count)


def _damaged(path: Path, fault: Exception) -> Phrase:
    return phrase("{file} is a damaged zip archive: {fault}", file=str(path), fault=str(fault))


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP
    except OSError:
        return False  # what reads files names the reason


def _opened(path: Path) -> zipfile.ZipFile:
    """Open an archive whose list of names is of a size that may be held in memory."""
    with path.open("rb") as file:
        if (size := _names_size(file)) > _NAMES_BYTES:
            raise NotALibrary(
                phrase("{file} has too many files: its names have {size} bytes", file=str(path), size=size)
            )
    return zipfile.ZipFile(path)


def _names_size(file: IO[bytes]) -> int:
    """Return the bytes of the list of names, as the end of the archive has them (APPNOTE 4.3.14, 4.3.16)."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_SIZE - _END_64_SIZE - _COMMENT))
    tail = file.read()
    sizes = [
        struct.unpack_from(kind, tail, place + offset)[0]
        for mark, kind, offset in ((_END, "<L", 12), (_END_64, "<Q", 40))
        if 0 <= (place := tail.rfind(mark)) <= len(tail) - offset - struct.calcsize(kind)
    ]
    plain = [found for found in sizes if found != 0xFFFFFFFF]  # noqa: PLR2004 (it is in the other record)
    return max(plain, default=0)


def _copy(archive: zipfile.ZipFile, books: IO[bytes], path: Path, most: int) -> None:
    left = most
    with archive.open(BOOKS) as file:
        while piece := file.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise NotALibrary(
                    phrase("{file} has more than {most} bytes of books: split it", file=str(path), most=most)
                )
            books.write(piece)
    books.flush()
