"""Our own export: a CSV and JSON lines that an import reads back to the same shelf."""

import csv
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from bookshelf.shelf.exchange.own import COLUMNS, guarded, join_tags


class _Echo:
    """A file that hands back what is written, so that csv makes lines for an iterator."""

    def write(self, text: str) -> str:
        return text


def write_csv(books: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Answer the lines of a CSV, header first; the books are as GET /books has them.

    Each line has its line end (CR LF, RFC 4180): write them with newline="". With
    encoding utf-8-sig Excel sees the right letters too, and an import reads both.
    """
    yield csv_line(COLUMNS)
    for book in books:
        yield csv_line([_cell(book.get(column)) for column in COLUMNS])


def write_jsonl(books: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Answer one line of JSON for each book, with its line end, all its fields as they are."""
    encode = msgspec.json.Encoder().encode
    for book in books:
        yield encode(book).decode() + "\n"


def csv_line(cells: Iterable[str], delimiter: str = ",") -> str:
    """Answer the cells as one CSV record, with its line end."""
    line: str = csv.writer(_Echo(), delimiter=delimiter).writerow(cells)
    return line


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return guarded(join_tags(value))
    return guarded(str(value))
