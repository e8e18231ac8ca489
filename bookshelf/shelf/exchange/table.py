"""A CSV file whose header is understood: its rows as entries."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from bookshelf.shelf.exchange import facts
from bookshelf.shelf.exchange.build import build
from bookshelf.shelf.exchange.entry import Entry, Refusal
from bookshelf.shelf.exchange.format import Format, pick
from bookshelf.shelf.exchange.reading import Setting
from bookshelf.shelf.exchange.records import Record, records
from bookshelf.shelf.exchange.source import Source

_SAYS_READ = {"state", "read", "when"}


class Table(NamedTuple):
    """The file, its format, its delimiter, its header and the line on which that starts."""

    source: Source
    form: Format
    delimiter: str
    header: tuple[str, ...]
    line: int

    def setting(self, today: date) -> Setting:
        """Read the file once and answer what holds for all its rows."""
        layout = self.form.layout(self.header)
        names = {name for name, _ in layout}
        rows = (pick(layout, self._filled(row.cells)) for row in self._rows())
        found = facts.gather(rows, self.form, self.delimiter)
        rated_is_read = self.form.guess and "rating" in names and names.isdisjoint(_SAYS_READ)
        return Setting(self.form, found, today, rated_is_read and found.scale > 0)

    def entries(self, setting: Setting) -> Iterator[Entry | Refusal]:
        """Answer each row as an entry or a refusal, in the file's order."""
        layout = self.form.layout(self.header)
        for row in self._rows():
            raw = tuple(row.cells)
            if fault := row.fault or _too_wide(raw, len(self.header), self.delimiter):
                yield Refusal(row.line, fault, raw)
            else:
                found = build(row.line, pick(layout, self._filled(row.cells)), raw, setting)
                yield _noted(found, len(self.header))

    def unused(self) -> tuple[str, ...]:
        """Answer the columns that say nothing a shelf has a place for."""
        if self.form.exact:
            return ()
        used = {place for _, places in self.form.layout(self.header) for place in places}
        return tuple(name for place, name in enumerate(self.header) if name and place not in used)

    def _rows(self) -> Iterator[Record]:
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


def _noted(found: Entry | Refusal, width: int) -> Entry | Refusal:
    if isinstance(found, Refusal) or len(found.raw) >= width:
        return found
    note = f"the row ends after {len(found.raw)} of {width} cells"
    return msgspec.structs.replace(found, notes=(*found.notes, note))
