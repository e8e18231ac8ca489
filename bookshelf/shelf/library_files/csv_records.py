"""Text into records: the cells of each and the physical line on which it starts."""

import csv
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, TextIO

from bookshelf.shelf.limits import RECORD_MAX, REREADS_MAX

_SHOWN = 1_000
_BROKEN = 'a " is opened or closed in the wrong place: mend the quotes'
_TOO_LONG = "the record or one of its cells is too long: shorten it"


class CsvRecord(NamedTuple):
    """The cells of one record; with a `fault` they are just its text, in one cell."""

    line: int
    cells: list[str]
    fault: str = ""


class TooLong(csv.Error):
    """A record goes on for more than RECORD_MAX characters."""


class LineReader:
    """The physical lines of a text, numbered from 1, that can step back inside a record."""

    def __init__(self, stream: TextIO) -> None:
        """Read from the stream, which is open with newline=""."""
        self.number = 0
        self._stream = stream
        self._ahead: deque[str] = deque()
        self._taken: list[str] = []
        self._room = RECORD_MAX

    def __iter__(self) -> "LineReader":
        """Answer the lines themselves."""
        return self

    def __next__(self) -> str:
        """Answer the next line with its line end; raises TooLong past the limit."""
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
        """Start a record and answer the number of its first line."""
        self._taken.clear()
        self._room = RECORD_MAX
        return self.number + 1

    @property
    def several(self) -> bool:
        """Whether the record that was begun spans more than one line."""
        return len(self._taken) > 1

    def step_back(self) -> None:
        """Be again where the second line of the record starts."""
        rest = self._taken[1:]
        self._ahead.extendleft(reversed(rest))
        self.number -= len(rest)

    def first(self) -> str:
        """Answer the record's first line, not longer than is good to look at."""
        return self._taken[0].rstrip("\r\n")[:_SHOWN]

    def whole(self) -> str:
        """Answer all lines of the record."""
        return "".join(self._taken).rstrip("\r\n")

    def _read(self) -> str:
        line = self._stream.readline(RECORD_MAX + 1)
        rest = line
        while len(rest) > RECORD_MAX and not rest.endswith(("\n", "\r")):
            rest = self._stream.readline(RECORD_MAX + 1)
        return line


def records(stream: TextIO, delimiter: str, width: int = 0, *, exact: bool = False) -> Iterator[CsvRecord]:
    """Split the text at the delimiter; blank records are left out.

    A quote that is never closed would silently swallow the lines that follow.
    So a record that breaks, or that spans lines and has not `width` cells
    (0: any number will do), costs its first line alone; reading goes on with
    its second, and from there to the line after it, where that is bad too the one
    after that, a record must have just `width` cells. Unless `exact`,
    people may put a space after a delimiter.
    """
    lines = LineReader(stream)
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=not exact)
    suspect, rereads = 0, 0
    while (record := _next(reader, lines, width, suspect)) is not None:
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


def _next(reader: Iterator[list[str]], lines: LineReader, width: int, suspect: int) -> CsvRecord | None:
    line = lines.begin()
    try:
        cells = next(reader)
    except StopIteration:
        return None
    except csv.Error as error:
        long = isinstance(error, TooLong) or "field limit" in str(error)
        return CsvRecord(line, [lines.first()], _TOO_LONG if long and not lines.several else _BROKEN)
    doubtful = lines.several or line <= suspect
    if doubtful and width and cells and len(cells) != width:
        return CsvRecord(line, [lines.first()], _BROKEN)
    return CsvRecord(line, cells)
