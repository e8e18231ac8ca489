"""Splits a JSON file into objects: one on each line, or those inside an array or an object."""

import re
from collections.abc import Iterator
from typing import NamedTuple, TextIO

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.library_files.csv_records import LineReader, TooLong
from bookshelf.shelf.limits import RECORD_MAX

_CHUNK = 1024 * 1024
_SIGN = re.compile(r'["\\{}\[\]\n]')
_TOO_LONG = phrase("the line is too long: shorten it")


class JsonRecord(NamedTuple):
    """The text of one object, and the line on which it starts. With a `fault` it is only the beginning."""

    line: int
    text: str
    fault: Phrase | None = None


def json_lines(stream: TextIO) -> Iterator[JsonRecord]:
    """Yield the lines that are not blank."""
    lines = LineReader(stream)
    while True:
        number = lines.begin()
        try:
            text, fault = next(lines).strip(), None
        except TooLong:
            text, fault = lines.first(), _TOO_LONG
        except StopIteration:
            return
        if text:
            yield JsonRecord(number, text, fault)


def json_members(stream: TextIO) -> Iterator[JsonRecord]:
    """Yield the objects that are elements of an array or values of an object, one at a time.

    Only brackets and strings are followed, so that the file is never in memory as a whole; the text of an
    object is checked when it is decoded.
    """
    scan = _Scan()
    while chunk := stream.read(_CHUNK):
        yield from scan.feed(chunk)


class _Scan:
    """Where in the file the scanner is: depth, line, inside a string or not, and the object's text so far."""

    def __init__(self) -> None:
        self._depth = 0
        self._line = self._start = 1
        self._in_string = self._escaped = False
        self._text: list[str] = []
        self._size = 0

    def feed(self, chunk: str) -> Iterator[JsonRecord]:
        at = 0
        begin = 0 if self._depth > 1 else -1
        while found := _SIGN.search(chunk, at):
            self._escaped = self._escaped and found.start() == at
            at = found.end()
            sign = found[0]
            self._line += sign == "\n"
            if self._follow(sign):
                continue
            if sign in "{[":
                self._depth += 1
                if self._depth == 2:  # noqa: PLR2004 - inside the outermost bracket
                    begin, self._start = found.start(), self._line
            elif sign in "}]":
                self._depth -= 1
                if self._depth == 1 and begin >= 0:
                    yield self._ended(chunk[begin:at])
                    begin = -1
        self._escaped = self._escaped and at == len(chunk)
        if begin >= 0:
            self._keep(chunk[begin:])

    def _follow(self, sign: str) -> bool:
        """Follow quotes and backslashes; return True if the sign is no bracket outside of a string."""
        if self._in_string:
            if self._escaped:
                self._escaped = False
            elif sign == "\\":
                self._escaped = True
            elif sign == '"':
                self._in_string = False
            return True
        self._in_string = sign == '"'
        return sign in '"\\\n'

    def _keep(self, text: str) -> None:
        self._size += len(text)
        if self._size <= RECORD_MAX or not self._text:
            self._text.append(text[:RECORD_MAX])

    def _ended(self, text: str) -> JsonRecord:
        self._keep(text)
        whole, fault = "".join(self._text), _TOO_LONG if self._size > RECORD_MAX else None
        self._text, self._size = [], 0
        return JsonRecord(self._start, whole[:1000] if fault else whole, fault)
