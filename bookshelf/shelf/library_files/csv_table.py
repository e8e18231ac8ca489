"""Reads a CSV file as entries: its header determines the format, its rows are books."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple, NoReturn

import msgspec

from bookshelf.shelf.library_files.build import build
from bookshelf.shelf.library_files.csv_records import CsvRecord, records
from bookshelf.shelf.library_files.entry import BookEntry, NotALibrary, Refusal
from bookshelf.shelf.library_files.format import Format, pick
from bookshelf.shelf.library_files.formats import ANY_CSV, CALIBRE, GOODREADS, OPEN_LIBRARY, OWN, STORYGRAPH
from bookshelf.shelf.library_files.reading_state import Setting, gather
from bookshelf.shelf.library_files.source import Source

_SAYS_READ = {"state", "read", "when"}


class Table(NamedTuple):
    """A CSV file: its format, its delimiter, its header and the line on which that starts."""

    source: Source
    form: Format
    delimiter: str
    header: tuple[str, ...]
    line: int

    def setting(self, today: date) -> Setting:
        """Read the file once and return the setting for all its rows."""
        layout = self.form.layout(self.header)
        names = {name for name, _ in layout}
        rows = (pick(layout, self._filled(row.cells)) for row in self._rows())
        found = gather(rows, self.form, self.delimiter)
        rated_is_read = self.form.guess and "rating" in names and names.isdisjoint(_SAYS_READ)
        return Setting(self.form, found, today, rated_is_read and found.scale > 0)

    def entries(self, setting: Setting) -> Iterator[BookEntry | Refusal]:
        """Yield each row as an entry or a refusal, in the file's order."""
        layout = self.form.layout(self.header)
        for row in self._rows():
            raw = tuple(row.cells)
            if fault := row.fault or _too_wide(raw, len(self.header), self.delimiter):
                yield Refusal(row.line, fault, raw)
            else:
                found = build(row.line, pick(layout, self._filled(row.cells)), raw, setting)
                yield _noted(found, len(self.header))

    def unused(self) -> tuple[str, ...]:
        """Return the columns that no field of a book is read from."""
        if self.form.exact:
            return ()
        used = {index for _, indexes in self.form.layout(self.header) for index in indexes}
        return tuple(name for index, name in enumerate(self.header) if name and index not in used)

    def _rows(self) -> Iterator[CsvRecord]:
        with self.source.open() as stream:
            for row in records(stream, self.delimiter, len(self.header), exact=self.form.exact):
                if row.line > self.line:
                    yield row

    def _filled(self, cells: list[str]) -> list[str]:
        missing = len(self.header) - len(cells)
        return cells + [""] * missing if missing > 0 else cells


def _too_wide(raw: Sequence[str], width: int, delimiter: str) -> str:
    if not any(map(str.strip, raw[width:])):
        return ""
    mark = "a tab" if delimiter == "\t" else f"a {delimiter!r}"
    return f"{len(raw)} cells, but {width} columns: a text with {mark} in it needs quotes around it"


def _noted(found: BookEntry | Refusal, width: int) -> BookEntry | Refusal:
    if isinstance(found, Refusal) or len(found.raw) >= width:
        return found
    note = f"the row ends after {len(found.raw)} of {width} cells"
    return msgspec.structs.replace(found, notes=(*found.notes, note))


FORMATS = (OWN, GOODREADS, STORYGRAPH, OPEN_LIBRARY, CALIBRE, ANY_CSV)
"""In the order in which they are tried: any CSV is the last resort."""

_DELIMITERS = (",", ";", "\t")
_EXCEL = re.compile(r"sep=.?", re.IGNORECASE)
_SHOWN = 5


def open_table(source: Source) -> Table:
    """Return the file as a table, read with the delimiter that shows the most columns.

    Raises `NotALibrary` if no column has titles, or none has authors.
    """
    headers = {delimiter: _header(source, delimiter) for delimiter in _DELIMITERS}
    tables = [
        Table(source, form, delimiter, _names(header), header.line)
        for delimiter, header in headers.items()
        if (form := _form(_names(header)))
    ]
    if not tables:
        _refuse(source, max(map(_names, headers.values()), key=len))
    return max(tables, key=lambda table: len(table.header))


def _header(source: Source, delimiter: str) -> CsvRecord:
    """Return the first record, without Excel's own first line, which has the delimiter."""
    with source.open() as stream:
        for record in records(stream, delimiter):
            if not _EXCEL.fullmatch("".join(record.cells).strip()):
                return record
    raise NotALibrary(f"{source.path} is empty: it holds no books")


def _names(header: CsvRecord) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in header.cells)


def _form(names: tuple[str, ...]) -> Format | None:
    return next((form for form in FORMATS if form.recognises(names)), None)


def _refuse(source: Source, names: tuple[str, ...]) -> NoReturn:
    raise NotALibrary(
        f"{source.path} holds no books that are recognised: its first line is {', '.join(_shown(names))};"
        " needed is a column for the title and one for the author, as in an export of Goodreads,"
        " StoryGraph, Open Library, Calibre or Bookshelf"
    )


def _shown(names: tuple[str, ...]) -> Iterator[str]:
    yield from (repr(name[:40]) for name in names[:_SHOWN])
    if len(names) > _SHOWN:
        yield "…"
