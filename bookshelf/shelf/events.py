"""The events of the shelf, and the catalogue of its topic. Their keys are ids of books, lists and goals.

Partial dates are texts (`2024`, `2024-03`, `2024-03-01`); None is an unknown date. A reading is identified by
the number that its book gives it, from 1 on.
"""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar

from msgspec import UNSET, UnsetType

from bookshelf.cqrs.catalogue import Catalogue, Upcast
from bookshelf.cqrs.message import Event, sealed
from bookshelf.shelf.fields import BookFields, ChangedFields
from bookshelf.shelf.values import ReadingProgress

TOPIC = "bookshelf"
# The personal texts beside those of `BookFields`.
Review = Annotated[str, sealed("review")]
Quote = Annotated[str, sealed("quote")]
Note = Annotated[str, sealed("note")]
Reason = Annotated[str, sealed("reason")]


class BookAdded(BookFields, Event, frozen=True):
    """A book was put onto the shelf of `owner` (None: the local reader)."""

    TYPE: ClassVar[str] = "shelf.book-added.v1"
    title: str
    author: str
    added: datetime
    owner: str | None = None


class BookChanged(ChangedFields, Event, frozen=True, omit_defaults=True):  # type: ignore[misc]  # derived
    """Fields of a book were changed: only those are present, and null clears one."""

    TYPE: ClassVar[str] = "shelf.book-changed.v1"


class BookRemoved(Event, frozen=True):
    """The book was taken off the shelf; `merged_into` is the book that took over its readings, if any."""

    TYPE: ClassVar[str] = "shelf.book-removed.v1"
    merged_into: str | None = None


class BookRestored(Event, frozen=True):
    """A removed book was put back, with all that it had."""

    TYPE: ClassVar[str] = "shelf.book-restored.v1"


class CoverSet(Event, frozen=True):
    """The book has an image of its cover: digest of its content, pixels, main colour as `#rrggbb`."""

    TYPE: ClassVar[str] = "shelf.cover-set.v1"
    digest: str
    width: int
    height: int
    colour: str


class CoverRemoved(Event, frozen=True):
    """The book has no image of its cover any more."""

    TYPE: ClassVar[str] = "shelf.cover-removed.v1"


class BookFinished(Event, frozen=True):
    """The first reading was finished, as the first release recorded it. It is read as a `ReadingFinished`."""

    TYPE: ClassVar[str] = "shelf.book-finished.v1"
    finished: date | None = None
    rating: int | None = None
    review: Review | None = None


class ReadingStarted(Event, frozen=True):
    """A reading was started."""

    TYPE: ClassVar[str] = "shelf.reading-started.v1"
    reading: int
    started: str | None = None
    format: str | None = None


class ReadingProgressed(Event, frozen=True):
    """The open reading has come so far. `entry` numbers the progress entries of the reading from 1 on."""

    TYPE: ClassVar[str] = "shelf.reading-progressed.v1"
    reading: int
    entry: int
    progress: ReadingProgress
    on: str | None = None
    note: Note | None = None


class ProgressRemoved(Event, frozen=True):
    """A progress entry was removed."""

    TYPE: ClassVar[str] = "shelf.progress-removed.v1"
    reading: int
    entry: int


class ReadingPaused(Event, frozen=True):
    """The open reading was paused."""

    TYPE: ClassVar[str] = "shelf.reading-paused.v1"
    reading: int
    on: str | None = None


class ReadingResumed(Event, frozen=True):
    """The paused reading goes on."""

    TYPE: ClassVar[str] = "shelf.reading-resumed.v1"
    reading: int
    on: str | None = None


class ReadingFinished(Event, frozen=True):
    """A reading was finished; it is created if its number is new."""

    TYPE: ClassVar[str] = "shelf.reading-finished.v1"
    reading: int
    finished: str | None = None
    stars: float | None = None
    review: Review | None = None


class ReadingAbandoned(Event, frozen=True):
    """A reading was given up before the end of the book."""

    TYPE: ClassVar[str] = "shelf.reading-abandoned.v1"
    reading: int
    on: str | None = None
    reason: Reason | None = None


class ReadingCorrected(Event, frozen=True):
    """Dates or format of a reading were corrected: only changed fields are present, and null is unknown."""

    TYPE: ClassVar[str] = "shelf.reading-corrected.v1"
    reading: int
    started: str | UnsetType | None = UNSET
    ended: str | UnsetType | None = UNSET
    format: str | UnsetType | None = UNSET


class ReadingReopened(Event, frozen=True):
    """A finished or abandoned reading is open again."""

    TYPE: ClassVar[str] = "shelf.reading-reopened.v1"
    reading: int


class ReadingRemoved(Event, frozen=True):
    """A reading was removed."""

    TYPE: ClassVar[str] = "shelf.reading-removed.v1"
    reading: int


class ReadingRestored(Event, frozen=True):
    """A removed reading was put back."""

    TYPE: ClassVar[str] = "shelf.reading-restored.v1"
    reading: int


class BookRated(Event, frozen=True):
    """A reading, or the book itself (`reading` is None), was given stars; None clears them."""

    TYPE: ClassVar[str] = "shelf.book-rated.v1"
    stars: float | None = None
    reading: int | None = None


class BookReviewed(Event, frozen=True):
    """A reading, or the book itself (`reading` is None), was given a review; None clears it."""

    TYPE: ClassVar[str] = "shelf.book-reviewed.v1"
    text: Review | None = None
    spoiler: bool = False
    reading: int | None = None


class PassageAdded(Event, frozen=True):
    """A quote, a note, or both, with an optional place in the book. `passage` numbers them from 1 on."""

    TYPE: ClassVar[str] = "shelf.passage-added.v1"
    passage: int
    quote: Quote | None = None
    note: Note | None = None
    progress: ReadingProgress | None = None


class PassageChanged(Event, frozen=True):
    """Fields of a passage were changed: only those are present, and null clears one."""

    TYPE: ClassVar[str] = "shelf.passage-changed.v1"
    passage: int
    quote: Quote | UnsetType | None = UNSET
    note: Note | UnsetType | None = UNSET
    progress: ReadingProgress | UnsetType | None = UNSET


class PassageRemoved(Event, frozen=True):
    """A passage was removed."""

    TYPE: ClassVar[str] = "shelf.passage-removed.v1"
    passage: int


class ListCreated(Event, frozen=True):
    """A list was created for `owner` (None: the local reader)."""

    TYPE: ClassVar[str] = "shelf.list-created.v1"
    name: str
    owner: str | None = None


class ListRenamed(Event, frozen=True):
    """A list has another name."""

    TYPE: ClassVar[str] = "shelf.list-renamed.v1"
    name: str


class ListRemoved(Event, frozen=True):
    """A list was removed."""

    TYPE: ClassVar[str] = "shelf.list-removed.v1"


class ListRestored(Event, frozen=True):
    """A removed list was put back, with its entries."""

    TYPE: ClassVar[str] = "shelf.list-restored.v1"


class ListEntryAdded(Event, frozen=True):
    """A book was put on a list. Entries are ordered by rank, as texts by code point.

    `added` is when that was, if it was before the event: an import states it.
    """

    TYPE: ClassVar[str] = "shelf.list-entry-added.v1"
    book: str
    rank: str
    added: datetime | None = None


class ListEntryMoved(Event, frozen=True):
    """A book has another place on its list."""

    TYPE: ClassVar[str] = "shelf.list-entry-moved.v1"
    book: str
    rank: str


class ListEntryRemoved(Event, frozen=True):
    """A book was taken off a list."""

    TYPE: ClassVar[str] = "shelf.list-entry-removed.v1"
    book: str


class ListReordered(Event, frozen=True):
    """All entries of a list have new ranks, by book, in the same order: the former ones were too long."""

    TYPE: ClassVar[str] = "shelf.list-reordered.v1"
    ranks: dict[str, str]


class GoalSet(Event, frozen=True):
    """The goal for a year: books, pages, or both; null clears one."""

    TYPE: ClassVar[str] = "shelf.goal-set.v1"
    year: int
    books: int | None = None
    pages: int | None = None


#: The events of lists; all others are of books and goals.
LIST_EVENTS: tuple[type[Event], ...] = (
    ListCreated,
    ListRenamed,
    ListRemoved,
    ListRestored,
    ListEntryAdded,
    ListEntryMoved,
    ListEntryRemoved,
    ListReordered,
)


def _as_reading(finished: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a `ReadingFinished` for the data of a `BookFinished`."""
    rating = finished.get("rating")
    return {
        "reading": 1,
        "finished": finished.get("finished"),
        "stars": None if rating is None else float(rating),
        "review": finished.get("review"),
    }


EVENTS = Catalogue(
    BookAdded,
    BookChanged,
    BookRemoved,
    BookRestored,
    CoverSet,
    CoverRemoved,
    BookFinished,
    ReadingStarted,
    ReadingProgressed,
    ProgressRemoved,
    ReadingPaused,
    ReadingResumed,
    ReadingFinished,
    ReadingAbandoned,
    ReadingCorrected,
    ReadingReopened,
    ReadingRemoved,
    ReadingRestored,
    BookRated,
    BookReviewed,
    PassageAdded,
    PassageChanged,
    PassageRemoved,
    *LIST_EVENTS,
    GoalSet,
    upcasts=(Upcast(BookFinished.TYPE, ReadingFinished, _as_reading),),
)
