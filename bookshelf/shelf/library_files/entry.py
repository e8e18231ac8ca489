"""The results of reading a library file: entries, refusals, and the error for a file that is none."""

from datetime import date
from typing import Required, TypedDict

import msgspec


class NotALibrary(Exception):
    """The file has no books that can be recognised; the message has what to do."""


class FileBook(TypedDict, total=False):
    """A book as POST /books takes it; a field without a value is left out."""

    title: Required[str]
    author: Required[str]
    published: str
    isbn: str
    pages: int
    language: str
    tags: list[str]
    notes: str


class Refusal(msgspec.Struct, frozen=True):
    """A record that cannot become a book: its first line, the reason, and its cells as they were."""

    line: int
    reason: str
    raw: tuple[str, ...]


class Entry(msgspec.Struct, frozen=True):
    """One book of a library that fits the limits of the shelf.

    `line` is the physical line, from 1, on which the record starts. `notes` are sentences on what was left
    out or changed, and why. `rating` and `review` have a value only if `finished` is true; `finished_on` may
    be unknown even then. `raw` is the record as it was, for a later refusal.
    """

    line: int
    book: FileBook
    finished: bool
    finished_on: date | None
    rating: int | None
    review: str | None
    notes: tuple[str, ...]
    raw: tuple[str, ...]

    def refused(self, reason: str) -> Refusal:
        """Return a refusal of this entry, for one that the shelf itself has refused."""
        return Refusal(self.line, reason, self.raw)
