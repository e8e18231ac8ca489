"""Writes a shelf as CSV for spreadsheets, and the refused lines of an import as a file of the same format."""

import csv
from collections.abc import Callable, Iterable, Iterator
from itertools import starmap

import msgspec

from bookshelf.cqrs.phrases import Phrase
from bookshelf.shelf.library_files.csv_books import CSV_COLUMNS, to_cells
from bookshelf.shelf.library_files.entry import Refusal
from bookshelf.shelf.library_files.formats import guarded
from bookshelf.shelf.library_files.library import Library
from bookshelf.shelf.library_files.shelf_index import ShelfBook
from bookshelf.shelf.library_files.table import REASON


class _Echo:
    """A file whose `write` returns its text, so that `csv.writer` can be used for an iterator of lines."""

    def write(self, text: str) -> str:
        return text


def write_csv(books: Iterable[ShelfBook]) -> Iterator[str]:
    """Yield the lines of a CSV, header first.

    Each line has its line end (CR LF, RFC 4180): write them with newline="". Spreadsheets need the encoding
    utf-8-sig; an import reads that and utf-8.
    """
    yield csv_line(CSV_COLUMNS)
    for book in books:
        yield csv_line(to_cells(book))


def csv_line(cells: Iterable[str], delimiter: str = ",") -> str:
    """Return the cells as one CSV record, with its line end."""
    line: str = csv.writer(_Echo(), delimiter=delimiter).writerow(cells)
    return line


def write_refused(
    library: Library, refusals: Iterable[Refusal], translate: Callable[[Phrase], str] = str
) -> Iterator[str]:
    """Return the lines of a file in the library's own format that has only these records.

    A CSV has the library's header and delimiter, the cells as they were (none of them is a formula to a
    spreadsheet, and an import takes the guard off), and a last column `reason`, which an import ignores; the
    first cell of a broken record has its text. JSON lines get a field `reason`; a line that is not an object
    becomes the field `line` of one. `translate` returns the text of a reason. Lines have their line ends:
    write them with newline="" and the encoding utf-8-sig (CSV) or utf-8.
    """
    reasons = ((refusal.raw, translate(refusal.reason)) for refusal in refusals)
    return _csv(library, reasons) if library.header else starmap(_json, reasons)


def _csv(library: Library, reasons: Iterable[tuple[tuple[str, ...], str]]) -> Iterator[str]:
    again = library.header[-1] == REASON
    header = library.header[:-1] if again else library.header
    yield csv_line(map(guarded, [*header, REASON]), library.delimiter)
    for raw, reason in reasons:
        cells = raw[: len(header)] if again and len(raw) == len(library.header) else raw
        missing = [""] * (len(header) - len(cells))
        yield csv_line(map(guarded, [*cells, *missing, reason]), library.delimiter)


def _json(raw: tuple[str, ...], reason: str) -> str:
    (line,) = raw
    try:
        book = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        book = {"line": msgspec.Raw(msgspec.json.encode(line))}
    book[REASON] = msgspec.Raw(msgspec.json.encode(reason))
    return msgspec.json.encode(book).decode() + "\n"
