"""Opens a library file: detects whether it is text, and in which encoding."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

import chardet

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.library_files.entry import NotALibrary
from bookshelf.shelf.limits import FILE_MAX

_CHUNK = 1024 * 1024
_HEAD = 4096
_HEADER = 16
_SAMPLE = 200_000
_LINE = 120
_NEAR = 0.8

_NO_TEXT = {
    b"PK\x03\x04": phrase("{file} is an Excel workbook or another zip file: save it as CSV first"),
    b"\xd0\xcf\x11\xe0": phrase("{file} is an old Excel workbook: save it as CSV first"),
    b"\x1f\x8b": phrase("{file} is a gzip file: unpack it first"),
    b"%PDF": phrase("{file} is a PDF: export a CSV instead"),
    b"SQLite format 3": phrase("{file} is a database (Calibre's own?): export a CSV catalog instead"),
    b"<": phrase("{file} is a web page or XML: export a CSV instead"),
    b"{\\rtf": phrase("{file} is a rich text document: save it as CSV first"),
}

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

CODE_PAGES = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874"),
    *("cp932", "gb18030", "big5hkscs", "cp949", "euc_jis_2004", "koi8-r", "cp866", "cp850", "mac-roman"),
    "iso8859-2",
)
"""The encodings that spreadsheets write, beside UTF-8 and UTF-16."""

_OF_OLD_SYSTEMS = frozenset({"cp866", "cp850", "mac-roman"})
"""Of DOS and the old Macintosh: if another encoding fits nearly as well, that is preferred."""


class Source(NamedTuple):
    """A text file with its encoding, which can be opened several times.

    `other` is a second encoding that fits nearly as well, and `lines` is one line of the file in both.
    """

    path: Path
    encoding: str
    errors: str
    other: str = ""
    lines: tuple[str, str] = ("", "")

    def open(self) -> TextIO:
        """Open the file with its line ends unchanged, as `csv` requires."""
        return self.path.open(encoding=self.encoding, errors=self.errors, newline="")


def find(path: Path, encoding: str | None = None) -> Source:
    """Detect the encoding of a file, unless the user has chosen one.

    Raises `NotALibrary` if the file is unreadable, empty, large or not text, or if no encoding decodes it.
    """
    try:
        head = _head(path)
        return _chosen(path, encoding) if encoding else _detected(path, head)
    except OSError as error:
        reason = error.strerror or str(error)
        unread = phrase("{file} cannot be read: {reason}", file=str(path), reason=reason)
        raise NotALibrary(unread) from error


def empty(path: Path) -> Phrase:
    """Return the reason of a file without books."""
    return phrase("{file} is empty: it holds no books", file=str(path))


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise NotALibrary(phrase("{file} is a folder: name the file in it", file=str(path)))
    if (size := path.stat().st_size) > FILE_MAX:
        raise NotALibrary(
            phrase(
                "{file} has {size} bytes, more than {most}: split it",
                file=str(path),
                size=size,
                most=FILE_MAX,
            )
        )
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    _refuse_binary(path, head)
    return head


def _refuse_binary(path: Path, head: bytes) -> None:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not start:
        raise NotALibrary(empty(path))
    for magic, reason in _NO_TEXT.items():
        if start.startswith(magic):
            raise NotALibrary(reason.with_values(file=str(path)))
    strange = sum(byte < 9 or 13 < byte < 32 for byte in head)  # noqa: PLR2004 - ASCII
    if strange * 10 > len(head) and not _utf16(head):
        raise NotALibrary(phrase("{file} is no text: a CSV file or JSON lines are needed", file=str(path)))


def _chosen(path: Path, encoding: str) -> Source:
    """Return the file in the encoding that the user has chosen."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise NotALibrary(
            phrase(
                "{encoding} is no encoding: choose another for --encoding, such as utf-8, cp1252 or gb18030",
                encoding=encoding,
            )
        ) from None
    if not _decodes(path, encoding):
        raise NotALibrary(
            phrase(
                "{file} is not encoded as {encoding}: choose another for --encoding",
                file=str(path),
                encoding=encoding,
            )
        )
    return Source(path, encoding, "strict")


def _utf16(head: bytes) -> str | None:
    """Return which UTF-16 this is: a header is plain letters, so every other byte is 0."""
    marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if marked == "utf-16":
        return marked
    even, odd = head[:_HEADER:2], head[1:_HEADER:2]
    if not any(odd) and all(even):
        return "utf-16-le"
    return "utf-16-be" if not any(even) and all(odd) else None


def _detected(path: Path, head: bytes) -> Source:
    if wide := _utf16(head):
        return Source(path, wide, "replace")
    name = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    if _decodes(path, "utf-8"):
        return Source(path, name, "strict")
    if _mostly_utf8(path):
        return Source(path, name, "replace")
    return _code_page(path)


def _code_page(path: Path) -> Source:
    """Return the file in the code page that its letters fit best. Raises `NotALibrary` if none decodes it."""
    sample = _sample(path)
    ranked = chardet.detect_all(
        sample, ignore_threshold=True, include_encodings=CODE_PAGES, compat_names=False, max_bytes=_SAMPLE
    )
    fitting = [
        (str(candidate["encoding"]), float(candidate["confidence"] or 0))
        for candidate in ranked
        if candidate["encoding"] and _decodes(path, str(candidate["encoding"]))
    ]
    if not fitting:
        raise NotALibrary(
            phrase(
                "{file} is in no known encoding: name the right one with --encoding,"
                " such as cp1252 or gb18030",
                file=str(path),
            )
        )
    near = [encoding for encoding, score in fitting if score >= _NEAR * fitting[0][1]]
    encoding = next((name for name in near if name not in _OF_OLD_SYSTEMS), near[0])
    text = sample.decode(encoding, "replace")
    for other in near:
        rival = sample.decode(other, "replace")
        if rival != text:
            return Source(path, encoding, "strict", other, _first_difference(text, rival))
    return Source(path, encoding, "strict")


def _first_difference(text: str, rival: str) -> tuple[str, str]:
    """Return the first line that differs in the two readings of a sample."""
    for line, other in zip(text.splitlines(), rival.splitlines(), strict=False):
        if line != other:
            return line[:_LINE], other[:_LINE]
    return text[:_LINE], rival[:_LINE]


def _sample(path: Path) -> bytes:
    """Return the first lines that are not ASCII alone, from the whole file."""
    sample = b""
    with path.open("rb") as stream:
        while (line := stream.readline(_CHUNK)) and len(sample) < _SAMPLE:
            if not line.isascii():
                sample += line
    return sample[:_SAMPLE]


def _decodes(path: Path, encoding: str) -> bool:
    try:
        for _ in _decoded(path, encoding, "strict"):
            pass
    except UnicodeError:
        return False
    return True


def _mostly_utf8(path: Path) -> bool:
    """Return True if the file is UTF-8 with damaged characters, and False if it has another encoding."""
    good = bad = 0
    for text in _decoded(path, "utf-8", "replace"):
        damaged = text.count("\ufffd")
        bad += damaged
        good += len(text) - len(text.encode("ascii", "ignore")) - damaged
    return good > bad


def _decoded(path: Path, encoding: str, errors: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
