"""Splits a CSV text into records: the cells of each, and the physical line on which it starts."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, TextIO

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.limits import RECORD_MAX, REREADS_MAX

_SHOWN = 1_000
BROKEN = phrase('a " is opened or closed in the wrong place: correct the quotes')
#: What the reason of a broken record has in each language; no other reason has it.
QUOTE = ' " '
_TOO_LONG = phrase("the record or one of its cells is too long: shorten it")


class CsvRecord(NamedTuple):
    """The cells of one record. With a `fault` there is one cell, which has the record's text."""

    line: int
    cells: list[str]
    fault: Phrase | None = None


class TooLong(csv.Error):
    """A record has more than RECORD_MAX characters."""


class Dialect(NamedTuple):
    """How a file separates and quotes its cells.

    `spaced`: a space can stand between a closing quote and the delimiter. `escaped`: a quote in a cell is
    written as a backslash and a quote.
    """

    delimiter: str
    spaced: bool = False
    escaped: bool = False

    def reader(self, lines: "LineReader | list[str]", *, exact: bool) -> Iterator[list[str]]:
        """Return the reader of `csv` for these lines."""
        source = self._unspaced(lines) if self.spaced else lines
        if self.escaped:
            return csv.reader(
                source, delimiter=self.delimiter, strict=True, skipinitialspace=not exact, escapechar="\\"
            )
        return csv.reader(source, delimiter=self.delimiter, strict=True, skipinitialspace=not exact)

    def _unspaced(self, lines: "LineReader | list[str]") -> Iterator[str]:
        closing = re.compile(rf'"[ \t]+(?={re.escape(self.delimiter)}|\r?\n?$)')
        return (closing.sub('"', line) for line in lines)


class LineReader:
    """The physical lines of a text, numbered from 1, that can step back inside a record."""

    def __init__(self, stream: TextIO) -> None:
        """Read from a stream that was opened with newline=""."""
        self.number = 0
        self._stream = stream
        self._ahead: deque[str] = deque()
        self._taken: list[str] = []
        self._room = RECORD_MAX

    def __iter__(self) -> "LineReader":
        """Return the iterator of the lines."""
        return self

    def __next__(self) -> str:
        """Return the next line with its line end. Raises `TooLong` past the limit."""
        line = self._ahead.popleft() if self._ahead else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self._taken.append(line)
        self._room -= len(line)
        if self._room < 0:
            raise TooLong
        return line

    def begin(self) -> int:
        """Start a record and return the number of its first line."""
        self._taken.clear()
        self._room = RECORD_MAX
        return self.number + 1

    @property
    def several(self) -> bool:
        """True if the record that was begun spans more than one line."""
        return len(self._taken) > 1

    def step_back(self) -> None:
        """Go back to the second line of the record."""
        rest = self._taken[1:]
        self._ahead.extendleft(reversed(rest))
        self.number -= len(rest)

    def first(self) -> str:
        """Return the record's first line, cut to _SHOWN characters."""
        return self._taken[0].rstrip("\r\n")[:_SHOWN]

    def whole(self) -> str:
        """Return all lines of the record."""
        return "".join(self._taken).rstrip("\r\n")

    def _read(self) -> str:
        line = self._stream.readline(RECORD_MAX + 1)
        rest = line
        while len(rest) > RECORD_MAX and not rest.endswith(("\n", "\r")):
            rest = self._stream.readline(RECORD_MAX + 1)
        return line


def records(stream: TextIO, dialect: Dialect, width: int = 0, *, exact: bool = False) -> Iterator[CsvRecord]:
    """Yield the records of a text in a dialect; blank records are left out.

    A quote that is never closed would silently swallow the lines after it. Therefore a record that is broken,
    or that spans lines and does not have `width` cells (0: any number), becomes a fault of its first line
    only, and reading goes on with its second. From there to the line after the broken record, each record
    must have exactly `width` cells. Unless `exact`, a space after a delimiter is skipped. A record that is
    one quoted cell with the cells of the whole line is unpacked.
    """
    lines = LineReader(stream)
    reader = dialect.reader(lines, exact=exact)
    suspect, rereads = 0, 0
    while (record := _next(reader, lines, dialect, width, suspect)) is not None:
        if not record.fault:
            if any(map(str.strip, record.cells)):
                yield record
            continue
        suspect = max(suspect, lines.number + 1)
        if lines.several and rereads == REREADS_MAX:
            yield record._replace(cells=[lines.whole()])
        else:
            rereads += lines.several
            lines.step_back()
            yield record


def _unpacked(record: CsvRecord, dialect: Dialect, width: int) -> CsvRecord:
    """Return the cells in the first cell of a record, if the others are blank and their number is right."""
    first, *rest = record.cells or [""]
    if dialect.delimiter not in first or any(map(str.strip, rest)):
        return record
    try:
        (cells,) = dialect.reader(first.splitlines(keepends=True), exact=False)
    except (csv.Error, ValueError):
        return record
    return record._replace(cells=cells) if len(cells) == width or not width else record


def _next(
    reader: Iterator[list[str]], lines: LineReader, dialect: Dialect, width: int, suspect: int
) -> CsvRecord | None:
    line = lines.begin()
    try:
        record = _unpacked(CsvRecord(line, next(reader)), dialect, width)
    except StopIteration:
        return None
    except csv.Error as error:
        long = isinstance(error, TooLong) or "field limit" in str(error)
        return CsvRecord(line, [lines.first()], _TOO_LONG if long and not lines.several else BROKEN)
    doubtful = lines.several or line <= suspect
    if doubtful and width and record.cells and len(record.cells) != width:
        return CsvRecord(line, [lines.first()], BROKEN)
    return record
