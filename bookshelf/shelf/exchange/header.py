"""The header of a CSV file: which delimiter, which columns, whose format."""

import re
from collections.abc import Iterator
from typing import NoReturn

from bookshelf.shelf.exchange.anycsv import ANY_CSV
from bookshelf.shelf.exchange.calibre import CALIBRE
from bookshelf.shelf.exchange.entry import NotALibrary
from bookshelf.shelf.exchange.format import Format
from bookshelf.shelf.exchange.goodreads import GOODREADS
from bookshelf.shelf.exchange.openlibrary import OPEN_LIBRARY
from bookshelf.shelf.exchange.own import OWN
from bookshelf.shelf.exchange.records import Record, records
from bookshelf.shelf.exchange.source import Source
from bookshelf.shelf.exchange.storygraph import STORYGRAPH
from bookshelf.shelf.exchange.table import Table

FORMATS = (OWN, GOODREADS, STORYGRAPH, OPEN_LIBRARY, CALIBRE, ANY_CSV)
"""In the order in which they are tried: any CSV is the last resort."""

_DELIMITERS = (",", ";", "\t")
_EXCEL = re.compile(r"sep=.?", re.IGNORECASE)
_SHOWN = 5


def open_table(source: Source) -> Table:
    """Answer the file as a table, read with the delimiter that shows the most columns.

    Raises NotALibrary where no column names a title, or none an author.
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


def _header(source: Source, delimiter: str) -> Record:
    """Answer the first record; Excel's own first line, which names the delimiter, is none."""
    with source.open() as stream:
        for record in records(stream, delimiter):
            if not _EXCEL.fullmatch("".join(record.cells).strip()):
                return record
    raise NotALibrary(f"{source.path} is empty: it holds no books")


def _names(header: Record) -> tuple[str, ...]:
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
