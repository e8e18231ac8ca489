"""Reads forms with files (multipart/form-data), and bodies that are one file.

Files go to a folder as they arrive, fields stay in memory.

Sources: RFC 7578 (the format), RFC 2046, 5.1 (boundaries).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from multipart import MultipartError, MultipartSegment, ParserError, PushMultipartParser, parse_options_header

from bookshelf.http.message import Request, TooLarge
from bookshelf.http.problem import Fault, Problem

MEDIA_TYPE = "multipart/form-data"
#: What the names of temporary files begin with.
PREFIX = "upload-"
#: Characters of a boundary (RFC 2046, 5.1.1), and of a file's name.
_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]", re.ASCII)
_LONGEST_NAME = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLimits:
    """Limits of one form: parts and files in all, bytes of each file, bytes of each other field."""

    parts: int = 10
    files: int = 1
    file_bytes: int = 10 << 20
    field_bytes: int = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """A file that has arrived: `path` holds its bytes until the form is closed.

    `name` is the last part of the name that the client gave; it names nothing on this machine. `digest` is
    BLAKE2b-256 in hexadecimal digits.
    """

    name: str
    path: Path
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class MultipartForm:
    """The texts of a form's fields and its files, by the name of the field."""

    fields: Mapping[str, tuple[str, ...]]
    files: Mapping[str, tuple[UploadedFile, ...]]


def is_multipart(request: Request) -> bool:
    """Return True if a request's body is a form with files."""
    kind: str = parse_options_header(request.headers.get("Content-Type", ""))[0]
    return kind.lower() == MEDIA_TYPE


@asynccontextmanager
async def read_multipart(
    request: Request, folder: Path, limits: FormLimits | None = None
) -> AsyncIterator[MultipartForm]:
    """Read a form; its files are in the folder until the block ends.

    A file that was not chosen, without name and bytes, is left out. Raises `Problem` (malformed, invalid,
    media-type, unavailable), `TooLarge`, `BrokenBody`.
    """
    limits = limits or FormLimits()
    parser = PushMultipartParser(_boundary(request), max_segment_count=limits.parts, strict=True)
    with ExitStack() as stack:
        parts = _Parts(folder, limits, stack)
        try:
            async for piece in request.body.stream():
                for event in parser.parse(piece):
                    await parts.take(event)
            parser.close()
        except ParserError as fault:
            msg = f"the form cannot be read: {fault}"
            raise Problem("malformed", msg) from None
        except MultipartError as fault:
            msg = f"the form has over {limits.parts} parts, or a part with too many or too long headers"
            raise Problem("invalid", msg) from fault
        except OSError as fault:
            raise _not_stored() from fault
        yield parts.form()


@asynccontextmanager
async def read_stream(request: Request, folder: Path, most: int) -> AsyncIterator[UploadedFile]:
    """Read a body that is one file, of up to `most` bytes; it is in the folder until the block ends.

    Raises `Problem` (unavailable), `TooLarge`, `BrokenBody`.
    """
    with ExitStack() as stack:
        parts = _Parts(folder, FormLimits(file_bytes=most), stack)
        parts.begin("file", "file")
        try:
            async for piece in request.body.stream():
                await parts.take(piece)
            await parts.take(None)
        except OSError as fault:
            raise _not_stored() from fault
        (file,) = parts.form().files["file"]
        yield file


def _not_stored() -> Problem:
    return Problem("unavailable", "the file cannot be stored right now; try again later")


def _boundary(request: Request) -> str:
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    if kind.lower() != MEDIA_TYPE:
        msg = f"a form with files is sent as {MEDIA_TYPE}"
        raise Problem("media-type", msg, Accept=MEDIA_TYPE)
    boundary: str = options.get("boundary", "")
    if _BOUNDARY.fullmatch(boundary) is None:
        msg = f"{MEDIA_TYPE} needs a boundary of up to 70 characters"
        raise Problem("malformed", msg)
    return boundary


@dataclass
class _Part:
    """The part that is arriving. `file` is open for a file, None for any other field."""

    name: str
    filename: str | None
    file: Any = None
    size: int = 0
    content: bytearray = field(default_factory=bytearray)
    digest: Any = field(default_factory=lambda: blake2b(digest_size=32))


class _Parts:
    """Collects the parts of a form from the parser's events. The stack closes and deletes its files."""

    def __init__(self, folder: Path, limits: FormLimits, stack: ExitStack) -> None:
        self._folder = folder
        self._limits = limits
        self._stack = stack
        self._part = _Part("", None)
        self._fields: dict[str, list[str]] = {}
        self._files: dict[str, list[UploadedFile]] = {}

    def begin(self, name: str, filename: str | None) -> None:
        """Begin a part: a file, or without a file's name any other field."""
        self._part = _Part(name, filename)

    async def take(self, event: MultipartSegment | bytes | None) -> None:
        """Take the head of a part, bytes of it, or (None) its end. Raises `Problem`, `TooLarge`."""
        if isinstance(event, MultipartSegment):
            self.begin(event.name or "", event.filename)
        elif event is None:
            await self._finish()
        elif self._part.filename is None:
            self._take_text(event)
        else:
            await self._take_bytes(event)

    def form(self) -> MultipartForm:
        """Return what has arrived."""
        return MultipartForm(
            {name: tuple(texts) for name, texts in self._fields.items()},
            {name: tuple(files) for name, files in self._files.items()},
        )

    def _take_text(self, piece: bytes) -> None:
        part = self._part
        part.content += piece
        if len(part.content) > self._limits.field_bytes:
            raise _invalid(part.name, f"has {self._limits.field_bytes} bytes at the most")

    async def _take_bytes(self, piece: bytes) -> None:
        part = self._part
        part.size += len(piece)
        if part.size > self._limits.file_bytes:
            raise TooLarge(self._limits.file_bytes)
        await self._need_file(part)
        part.digest.update(piece)
        await asyncio.to_thread(part.file.write, piece)

    def _open(self) -> Any:  # noqa: ANN401 (the type of temporary files has no public name)
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._stack.enter_context(NamedTemporaryFile(prefix=PREFIX, dir=self._folder))

    async def _finish(self) -> None:
        part = self._part
        if part.filename is None:
            try:
                text = part.content.decode()
            except UnicodeDecodeError:
                raise _invalid(part.name, "must be text in UTF-8") from None
            self._fields.setdefault(part.name, []).append(text)
        elif part.filename or part.size:
            await self._keep_file(part)

    async def _need_file(self, part: _Part) -> None:
        if part.file is None:
            if sum(map(len, self._files.values())) >= self._limits.files:
                raise _invalid(part.name, f"is one file too many; {self._limits.files} can be sent at once")
            part.file = await asyncio.to_thread(self._open)

    async def _keep_file(self, part: _Part) -> None:
        await self._need_file(part)
        await asyncio.to_thread(part.file.flush)
        found = UploadedFile(
            name=_last_name(part.filename or ""),
            path=Path(part.file.name),
            size=part.size,
            digest=part.digest.hexdigest(),
        )
        self._files.setdefault(part.name, []).append(found)


def _last_name(given: str) -> str:
    """Return the last part of a file's name: some browsers send a path."""
    last = _CONTROL.sub("", given.replace("\\", "/")).rpartition("/")[2].strip()
    return last[-_LONGEST_NAME:]


def _invalid(name: str, detail: str) -> Problem:
    shown = name[:100].replace("~", "~0").replace("/", "~1")
    return Problem("invalid", f"{name[:100]} {detail}", Fault(detail, pointer=f"/{shown}"))
