"""The refused records as a file to mend and import again."""

from collections.abc import Iterable, Iterator

import msgspec

from bookshelf.shelf.exchange.entry import Refusal
from bookshelf.shelf.exchange.export import csv_line
from bookshelf.shelf.exchange.library import Library

REASON = "reason"


def write_refused(library: Library, refusals: Iterable[Refusal]) -> Iterator[str]:
    """Answer the lines of a file such as the library's own with these records alone.

    A CSV has the library's header and delimiter, the cells as they were, and a last
    column `reason`, which an import does not look at; a record that is not whole
    stands in the first cell as text. JSON lines get a field `reason`; a line that
    is no object becomes the field `line` of one. Lines have their line ends: write
    them with newline="" and encoding utf-8-sig (CSV) or utf-8.
    """
    return _csv(library, refusals) if library.header else map(_json, refusals)


def _csv(library: Library, refusals: Iterable[Refusal]) -> Iterator[str]:
    again = library.header[-1] == REASON
    header = library.header[:-1] if again else library.header
    yield csv_line([*header, REASON], library.delimiter)
    for refusal in refusals:
        cells = (
            refusal.raw[: len(header)] if again and len(refusal.raw) == len(library.header) else refusal.raw
        )
        missing = [""] * (len(header) - len(cells))
        yield csv_line([*cells, *missing, refusal.reason], library.delimiter)


def _json(refusal: Refusal) -> str:
    (line,) = refusal.raw
    try:
        book = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        book = {"line": msgspec.Raw(msgspec.json.encode(line))}
    book[REASON] = msgspec.Raw(msgspec.json.encode(refusal.reason))
    return msgspec.json.encode(book).decode() + "\n"
