"""Reads JSON lines: one object for each book, as GET /books returns them, and one line for each object."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import msgspec

from bookshelf.shelf.library_files.build import build
from bookshelf.shelf.library_files.csv_records import LineReader, TooLong
from bookshelf.shelf.library_files.entry import BookEntry, NotALibrary, Refusal
from bookshelf.shelf.library_files.format import Fields, Format
from bookshelf.shelf.library_files.formats import OWN, join_tags
from bookshelf.shelf.library_files.reading_state import Facts, Setting
from bookshelf.shelf.library_files.source import Source

JSON_LINES = Format(
    name="Bookshelf JSON lines",
    marks=OWN.marks,
    columns=OWN.columns,
    split_tags=OWN.split_tags,
    exact=True,
)

_FIELDS = {names[0]: field for field, names in OWN.columns.items()}
_NO_OBJECT = "no JSON object on one line: correct the line"
_TOO_LONG = "the line is too long: shorten it"


class JsonLines(NamedTuple):
    """A file of JSON lines."""

    source: Source
    form: Format = JSON_LINES
    delimiter: str = ""
    header: tuple[str, ...] = ()

    def setting(self, today: date) -> Setting:
        """Count the lines and return the setting for all of them."""
        return Setting(self.form, Facts(rows=sum(1 for _ in self._lines())), today)

    def entries(self, setting: Setting) -> Iterator[BookEntry | Refusal]:
        """Yield each line as an entry or a refusal, in the file's order."""
        for number, line, fault in self._lines():
            fields = fault or _fields(line)
            if isinstance(fields, str):
                yield Refusal(number, fields, (line,))
            else:
                yield build(number, fields, (line,), setting)

    def unused(self) -> tuple[str, ...]:
        """Return no columns: JSON lines have none."""
        return ()

    def _lines(self) -> Iterator[tuple[int, str, str]]:
        with self.source.open() as stream:
            lines = LineReader(stream)
            while True:
                number = lines.begin()
                try:
                    line, fault = next(lines).strip(), ""
                except TooLong:
                    line, fault = lines.first(), _TOO_LONG
                except StopIteration:
                    return
                if line:
                    yield number, line, fault


def open_lines(source: Source) -> JsonLines | None:
    """Return the file as JSON lines; None if its first line is not an object.

    Raises `NotALibrary` for an object that is spread over several lines or is not a book.
    """
    content = JsonLines(source)
    first = next((line for _, line, _ in content._lines()), "")  # noqa: SLF001 - its own module
    if not first.startswith("{"):
        return None
    fields = _fields(first)
    if isinstance(fields, str) or not {"title", "author"} <= fields.keys():
        raise NotALibrary(
            f"{source.path} is JSON, but its first line is no book: needed is one object on each line,"
            ' such as {"title": "…", "author": "…"}'
        )
    return content


def _fields(line: str) -> Fields | str:
    """Return the fields of the object, or its fault."""
    try:
        book = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return _NO_OBJECT
    if not isinstance(book, dict):
        return _NO_OBJECT
    fields: Fields = {}
    for name, field in _FIELDS.items():
        text = _text(book.get(name))
        if text is None:
            return f"{name} is neither text nor a number: correct it"
        if text and not text.isspace():
            fields[field] = [text]
    return fields


def _text(value: object) -> str | None:
    if value is None:
        return ""
    if isinstance(value, list):
        return join_tags(value) if all(isinstance(item, str) for item in value) else None
    return str(value) if isinstance(value, str | int | float) else None
