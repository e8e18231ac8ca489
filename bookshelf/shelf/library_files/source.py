"""Opens a library file: detects whether it is text, and in which encoding."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from bookshelf.shelf.library_files.entry import NotALibrary
from bookshelf.shelf.limits import FILE_MAX

_CHUNK = 1024 * 1024
_HEAD = 4096
_HEADER = 16

_NO_TEXT = {
    b"PK\x03\x04": "an Excel workbook or another zip file: save it as CSV first",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as CSV first",
    b"\x1f\x8b": "a gzip file: unpack it first",
    b"%PDF": "a PDF: export a CSV instead",
    b"SQLite format 3": "a database (Calibre's own?): export a CSV catalog instead",
    b"<": "a web page or XML: export a CSV instead",
    b"{\\rtf": "a rich text document: save it as CSV first",
    b"[": "a JSON array: one object per line is needed",
}

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Source(NamedTuple):
    """A text file with its encoding, which can be opened several times."""

    path: Path
    encoding: str
    errors: str

    def open(self) -> TextIO:
        """Open the file with its line ends unchanged, as `csv` requires."""
        return self.path.open(encoding=self.encoding, errors=self.errors, newline="")


def find(path: Path) -> Source:
    """Detect the encoding of a file. Raises `NotALibrary` if it is unreadable, empty, large or not text."""
    try:
        head = _head(path)
        encoding, errors = _encoding(path, head)
    except OSError as error:
        reason = error.strerror or str(error)
        raise NotALibrary(f"{path} cannot be read: {reason}") from error
    return Source(path, encoding, errors)


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise NotALibrary(f"{path} is a folder: name the file in it")
    if (size := path.stat().st_size) > FILE_MAX:
        raise NotALibrary(f"{path} has {size:,} bytes, more than {FILE_MAX:,}: split it")
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    _refuse_binary(path, head)
    return head


def _refuse_binary(path: Path, head: bytes) -> None:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not start:
        raise NotALibrary(f"{path} is empty: it holds no books")
    for magic, what in _NO_TEXT.items():
        if start.startswith(magic):
            raise NotALibrary(f"{path} is {what}")
    strange = sum(byte < 9 or 13 < byte < 32 for byte in head)  # noqa: PLR2004 - ASCII
    if strange * 10 > len(head) and not _utf16(head):
        raise NotALibrary(f"{path} is no text: a CSV file or JSON lines are needed")


def _utf16(head: bytes) -> str | None:
    """Return which UTF-16 this is: a header is plain letters, so every other byte is 0."""
    marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if marked == "utf-16":
        return marked
    even, odd = head[:_HEADER:2], head[1:_HEADER:2]
    if not any(odd) and all(even):
        return "utf-16-le"
    return "utf-16-be" if not any(even) and all(odd) else None


def _encoding(path: Path, head: bytes) -> tuple[str, str]:
    if wide := _utf16(head):
        return wide, "replace"
    name = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        for _ in _decoded(path, "strict"):
            pass
    except UnicodeDecodeError:
        return (name, "replace") if _mostly_utf8(path) else ("cp1252", "replace")
    return name, "strict"


def _mostly_utf8(path: Path) -> bool:
    """Return True if the file is UTF-8 with damaged characters, and False if it is rather Windows-1252."""
    good = bad = 0
    for text in _decoded(path, "replace"):
        damaged = text.count("\ufffd")
        bad += damaged
        good += len(text) - len(text.encode("ascii", "ignore")) - damaged
    return good > bad


def _decoded(path: Path, errors: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
