"""Reads a table as entries: its header determines the format, its rows are books."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.library_files.build import build
from bookshelf.shelf.library_files.csv_books import READ_COLUMNS, READINGS, row_to_entry
from bookshelf.shelf.library_files.csv_records import BROKEN, QUOTE, CsvRecord, Dialect, records
from bookshelf.shelf.library_files.entry import Entry, NotALibrary, Refusal
from bookshelf.shelf.library_files.format import IGNORED, Fields, Format, Layout, folded, pick
from bookshelf.shelf.library_files.formats import ANY_CSV, ANY_FRENCH, ISBN_LIST, OWN, unguarded
from bookshelf.shelf.library_files.program_formats import PROGRAMS
from bookshelf.shelf.library_files.setting import Options, Setting, Survey, fields_of
from bookshelf.shelf.library_files.source import Source, empty
from bookshelf.shelf.library_files.values import choose_isbn

FORMATS = (OWN, *PROGRAMS, ANY_FRENCH, ANY_CSV)
"""In the order in which they are tried: any table is the last resort."""

REASON = "reason"
"""The last column of a file of refused rows."""
_DELIMITERS = (",", ";", "\t", "|")
_EXCEL = re.compile(r"sep=.?", re.IGNORECASE)
_HEADER_LINES = 10
_SHOWN = 5


class Table(NamedTuple):
    """A table: its format, its dialect, its header and the line on which that starts (0: it has none)."""

    source: Source
    form: Format
    dialect: Dialect
    header: tuple[str, ...]
    line: int

    @property
    def delimiter(self) -> str:
        """Return the character between the cells."""
        return self.dialect.delimiter

    @property
    def _is_export(self) -> bool:
        """True for the project's own table with readings; the first release wrote one without."""
        return self.form.exact and READINGS in self.header

    @property
    def _has_reasons(self) -> bool:
        """True for a file of refused rows, whose cells are guarded (see `write_refused`)."""
        return self.header[-1] == REASON

    def best(self) -> "Table":
        """Return the table in the dialect that breaks the fewest records; the usual one is preferred."""
        tables = [self._replace(dialect=dialect) for dialect in _dialects(self.delimiter)]
        if not self.dialect.spaced and self._faults() == 0:
            return self
        return min(tables, key=lambda table: table._faults())  # noqa: SLF001 - its own class

    def setting(self, options: Options) -> Setting:
        """Read the file once and return the setting for all its rows."""
        layout = self.form.layout(self.header, options.columns)
        fields = fields_of(self.header, layout)
        if self._is_export:
            fields = {name: name if name in READ_COLUMNS else IGNORED for name in self.header}
        survey = Survey(self.form, fields)
        for row in self._rows():
            if row.fault:
                survey.skip()
            else:
                survey.add(self._picked(row, layout))
        return survey.setting(options, self.delimiter)

    def entries(self, setting: Setting) -> Iterator[Entry | Refusal]:
        """Yield each row as an entry or a refusal, in the file's order."""
        layout = self.form.layout(self.header, setting.options.columns)
        for row in self._rows():
            raw = tuple(row.cells)
            if fault := row.fault or _too_wide(raw, len(self.header), self.delimiter) or self._broken(raw):
                yield Refusal(row.line, fault, raw)
            elif self._is_export:
                yield row_to_entry(row.line, self.header, raw)
            else:
                found = build(row.line, self._picked(row, layout), raw, setting)
                yield _noted(found, len(self.header))

    def _picked(self, row: CsvRecord, layout: Layout) -> Fields:
        missing = len(self.header) - len(row.cells)
        cells = row.cells + [""] * missing if missing > 0 else row.cells
        return pick(layout, self.header, cells)

    def _broken(self, raw: tuple[str, ...]) -> Phrase | None:
        """Return the reason of a row in a file of refused rows that is still the text of a broken record.

        Its reason is in the language of a reader: it has a quote sign by itself in each.
        """
        first, *others = raw
        if self._has_reasons and others and QUOTE in others[-1] and not any(others[:-1]):
            return BROKEN if first else None
        return None

    def _faults(self) -> int:
        return sum(
            bool(row.fault or _too_wide(row.cells, len(self.header), self.delimiter)) for row in self._rows()
        )

    def _rows(self) -> Iterator[CsvRecord]:
        with self.source.open() as stream:
            for row in records(stream, self.dialect, len(self.header), exact=self.form.exact):
                if row.line > self.line:
                    yield row._replace(cells=list(map(unguarded, row.cells))) if self._has_reasons else row


def _dialects(delimiter: str) -> list[Dialect]:
    return [
        Dialect(delimiter, spaced=spaced, escaped=escaped)
        for escaped in (False, True)
        for spaced in (False, True)
    ]


def _too_wide(raw: Sequence[str], width: int, delimiter: str) -> Phrase | None:
    if not any(map(str.strip, raw[width:])):
        return None
    mark = phrase("a tab") if delimiter == "\t" else phrase("a {sign}", sign=repr(delimiter))
    return phrase(
        "{cells} cells, but {columns} columns: a text with {mark} in it needs quotes around it",
        cells=len(raw),
        columns=width,
        mark=mark,
    )


def _noted(found: Entry | Refusal, width: int) -> Entry | Refusal:
    if isinstance(found, Refusal) or len(found.raw) >= width:
        return found
    note = phrase("the row ends after {cells} of {columns} cells", cells=len(found.raw), columns=width)
    return msgspec.structs.replace(found, warnings=(*found.warnings, note))


def open_table(source: Source) -> Table:
    """Return the file as a table, read with the delimiter that shows the most columns.

    The header is one of the first lines. Raises `NotALibrary` if no column has titles or ISBNs.
    """
    heads = {dialect: _head(source, dialect) for mark in _DELIMITERS for dialect in _dialects(mark)[:2]}
    if not heads[Dialect(",")]:
        raise NotALibrary(empty(source.path))
    tables = [
        Table(source, form, dialect, _names(record), record.line)
        for dialect, head in heads.items()
        for place, record in enumerate(head)
        if not record.fault and (form := _form(_names(record), place))
    ]
    if tables:
        return max(
            tables, key=lambda table: (len(table.header), -table.line, not table.dialect.spaced)
        ).best()
    if all(_is_isbn(record) for record in heads[Dialect(",")]):
        return Table(source, ISBN_LIST, Dialect(","), ("isbn",), 0)
    raise NotALibrary(
        _unrecognised(source, max((_names(head[0]) for head in heads.values() if head), key=len))
    )


def _head(source: Source, dialect: Dialect) -> list[CsvRecord]:
    """Return the first records, without Excel's own first line, which has the delimiter."""
    head: list[CsvRecord] = []
    with source.open() as stream:
        for record in records(stream, dialect):
            if not _EXCEL.fullmatch("".join(record.cells).strip()):
                head.append(record)
            if len(head) == _HEADER_LINES:
                break
    return head


def _names(header: CsvRecord) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in header.cells)
    return tuple(map(unguarded, names)) if names[-1] == REASON else names


def _form(names: tuple[str, ...], place: int) -> Format | None:
    """Return the format of a header; one that is not the first record needs two known columns."""
    form = next((form for form in FORMATS if form.recognises(names)), None)
    return form if form and (place == 0 or len(_known(names)) > 1) else None


def _known(names: tuple[str, ...]) -> list[str]:
    fields = {name: field for field, listed in ANY_CSV.columns.items() for name in listed}
    return [f"{name} ({fields[folded(name)]})" for name in names if folded(name) in fields]


def _is_isbn(record: CsvRecord) -> bool:
    faults: list[Phrase] = []
    return len(record.cells) == 1 and bool(choose_isbn(record.cells, faults)) and not faults


def _unrecognised(source: Source, names: tuple[str, ...]) -> Phrase:
    known = _known(names)
    return phrase(
        "{file} holds no books that are recognised: its first line is {names};"
        " needed is a column for the title or the ISBN, named such as Title, Titre or ISBN13;"
        " recognised columns: {known}",
        file=str(source.path),
        names=tuple(_shown(names)),
        known=tuple(known) or phrase("none"),
    )


def _shown(names: tuple[str, ...]) -> Iterator[str]:
    yield from (repr(name[:40]) for name in names[:_SHOWN])
    if len(names) > _SHOWN:
        yield "…"
