"""The results of reading a library file: entries, refusals, and the error for a file that is none."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from bookshelf.cqrs.phrases import Phrase
from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.lists import UP_NEXT
from bookshelf.shelf.values import Cover, ReadingProgress


class NotALibrary(Exception):
    """The file has no books that can be recognised; `reason` has what to do, and names the file as {file}."""

    def __init__(self, reason: Phrase) -> None:
        super().__init__(reason)
        self.reason = reason


class Refusal(msgspec.Struct, frozen=True):
    """A record that cannot become a book: its first line, the reason, and its cells as they were."""

    line: int
    reason: Phrase
    raw: tuple[str, ...]


class ListPlace(msgspec.Struct, frozen=True):
    """A list that has the book. `position` is the one that the file gives; None: the sequence of the file."""

    name: str
    position: int | None = None


class ProgressNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """A progress entry of a reading: how far it had come, on which day, with a note."""

    progress: ReadingProgress
    on: str | None = None
    note: str | None = None


class FileReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reading of a book, in the fields of a shelf's reading; dates are partial dates.

    `number` is the shelf's own and only in the project's own files. `paused` is true only if `end` is open.
    """

    number: int | None = None
    started: str | None = None
    ended: str | None = None
    end: Literal["finished", "abandoned", "open"] = "finished"
    paused: bool = False
    format: str | None = None
    progress: ReadingProgress | None = None
    stars: float | None = None
    review: str | None = None
    spoiler: bool = False
    reason: str | None = None
    entries: tuple[ProgressNote, ...] = ()


class FilePassage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A quote, a note, or both."""

    quote: str | None = None
    note: str | None = None
    progress: ReadingProgress | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What one line of a library file has about one book; every value fits the limits of the shelf.

    `line` is the physical line, from 1, on which the record starts. `id` is the shelf's own id of the book,
    only in the project's own files; ids of other programs are `book.ids`. An unknown author is an
    empty text, and an unknown title is `ISBN 978…`. `added` is a partial date or a time with its offset.
    `readings` are in the sequence of time, an open one last. `stars`, `review` and `spoiler` are those of a
    book without readings. The wish list is an entry of `lists` with the name UP_NEXT. `cover` names an
    image by its digest, only in the project's own files. `warnings` are
    sentences on what was left out or changed, and why; `raw` is the record as it was, for a later refusal.
    """

    line: int
    book: BookFields
    id: str | None = None
    added: str | None = None
    readings: tuple[FileReading, ...] = ()
    stars: float | None = None
    review: str | None = None
    spoiler: bool = False
    lists: tuple[ListPlace, ...] = ()
    passages: tuple[FilePassage, ...] = ()
    cover: Cover | None = None
    warnings: tuple[Phrase, ...] = ()
    raw: tuple[str, ...] = ()

    @property
    def up_next(self) -> bool:
        """True if the reader wants to read the book."""
        return any(place.name == UP_NEXT for place in self.lists)

    def added_at(self, start: datetime) -> datetime:
        """Return when the book was added; books without that in the file keep its sequence from `start` on.

        A day, a month or a year is its first moment, in UTC, and lines of one day keep their sequence, too.
        """
        offset = timedelta(microseconds=self.line)
        if self.added is None:
            return start + offset
        if len(self.added) > len("2024-03-01"):
            return datetime.fromisoformat(self.added)
        return datetime.fromisoformat((self.added + "-01-01")[:10] + "T00:00:00+00:00") + offset

    def refused(self, reason: Phrase) -> Refusal:
        """Return a refusal of this entry, for one that the shelf itself has refused."""
        return Refusal(self.line, reason, self.raw)


class FileEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A book on a list, by its id in the file, and when it was put there."""

    book: str
    added: datetime | None = None


class FileList(msgspec.Struct, frozen=True, kw_only=True):
    """A list of the project's own files, with its books in order. The name of up-next is empty."""

    id: str
    name: str
    entries: tuple[FileEntry, ...] = ()
    line: int = 0


class FileGoal(msgspec.Struct, frozen=True, kw_only=True):
    """The goal of a year, in the project's own files."""

    year: int
    books: int | None = None
    pages: int | None = None
    line: int = 0


Line = Entry | FileList | FileGoal | Refusal
"""What a record of a file is."""
