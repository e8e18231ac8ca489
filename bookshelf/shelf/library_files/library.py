"""Reads a library file of any supported program."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from bookshelf.shelf.library_files.csv_table import Table, open_table
from bookshelf.shelf.library_files.entry import BookEntry, Refusal
from bookshelf.shelf.library_files.jsonlines import JsonLines, open_lines
from bookshelf.shelf.library_files.source import find


class Library:
    """The records of one file; each iteration reads its entries from the start.

    `form` is the name of the format, `rows` the number of records, for a progress bar. `delimiter` and
    `header` are those of the file, and empty for JSON lines. `remarks` are sentences about the whole file,
    to show to the user.
    """

    def __init__(self, content: Table | JsonLines, today: date) -> None:
        self._content = content
        self._setting = content.setting(today)
        self.form = content.form.name
        self.rows = self._setting.facts.rows
        self.delimiter = content.delimiter
        self.header = content.header
        self.remarks = tuple(self._remarks())

    def __iter__(self) -> Iterator[BookEntry | Refusal]:
        """Read the file from its start; memory stays small however large it is."""
        return self._content.entries(self._setting)

    def _remarks(self) -> Iterator[str]:
        if not self._setting.facts.scale:
            yield "the rating column was left out: it holds averages, no reader's own stars"
        if self._setting.rated_is_read:
            yield "the file does not have which books are read: those with a rating count as read"
        if unused := self._content.unused():
            yield f"columns without a place on the shelf: {', '.join(unused)}"


def read_library(path: Path, *, today: date) -> Library:
    """Recognise the format of a file by its content, and return its library.

    `today` is the user's date; no book is finished after it. The file is read two or three times, and never
    as a whole into memory. Raises `NotALibrary`, with one sentence to show, for a file that is not text, is
    too large, is empty or has no books.
    """
    source = find(path)
    return Library(open_lines(source) or open_table(source), today)
