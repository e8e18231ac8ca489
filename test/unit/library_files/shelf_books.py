"""Books of a shelf, as values: any combination of what a shelf can hold."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files.entry import (
    FileEntry,
    FileGoal,
    FileList,
    FilePassage,
    FileReading,
    ProgressNote,
)
from bookshelf.shelf.library_files.json_files import Written
from bookshelf.shelf.library_files.shelf_index import ShelfBook
from bookshelf.shelf.values import Contributor, Cover, ReadingProgress, SeriesEntry, derived_author

ADDED = datetime(2024, 1, 1, tzinfo=UTC)

LETTERS = st.characters(exclude_categories=("Cc", "Cs"))
AWKWARD = st.sampled_from("'=+-@,;\"|#(1 é本")


def words(longest: int, also: str = "") -> st.SearchStrategy[str]:
    """Text as the shelf holds it: not blank, and no control characters but those named."""
    letters = AWKWARD | LETTERS | (st.sampled_from(also) if also else st.nothing())
    return st.text(letters, min_size=1, max_size=longest).filter(lambda text: bool(text.strip()))


def maybe(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | value


DATES = st.sampled_from(["2021", "2022-05", "2023-01-02", "2023-01-03", "2024-02-29"])
STARS = st.integers(1, 20).map(lambda quarters: quarters / 4)
LINE, PROSE = words(30), words(60, "\n\t")
IDS = st.dictionaries(st.sampled_from(["asin", "goodreads", "my-own_2"]), LINE, max_size=2)
EXTRA = st.dictionaries(words(20).map("StoryGraph: {}".format), PROSE, max_size=2)
ISBN = st.sampled_from(["0441013597", "978-0-441-01359-3", "9780593099322"])
PROGRESS = st.one_of(
    st.builds(ReadingProgress, page=st.integers(0, 400), of=st.just(400)),
    st.builds(ReadingProgress, percent=st.integers(0, 1000).map(lambda tenths: tenths / 10)),
    st.builds(ReadingProgress, minutes=st.integers(0, 600), of=st.just(600)),
)
PEOPLE = st.lists(
    st.builds(Contributor, LINE, st.sampled_from(["author", "translator", "own role"]), maybe(LINE)),
    max_size=3,
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "published": words(20),
    "isbn": ISBN,
    "pages": st.integers(1, 100_000),
    "language": words(35),
    "tags": st.lists(words(20), max_size=4, unique=True).map(tuple),
    "notes": PROSE,
    "subtitle": LINE,
    "series": st.lists(st.builds(SeriesEntry, LINE, maybe(words(10))), max_size=2, unique=True).map(tuple),
    "publisher": LINE,
    "first_published": words(20),
    "format": words(20),
    "minutes": st.integers(1, 1000),
    "description": PROSE,
    "ids": IDS,
    "sort_title": LINE,
    "work": LINE,
    "copies": st.integers(0, 3),
    "location": LINE,
    "lent_to": LINE,
    "lent_on": DATES,
    "extra": EXTRA,
}


@st.composite
def book_fields(draw: st.DrawFn) -> BookFields:
    """The fields of a book; its author follows from the contributors, if there are any."""
    given = draw(st.fixed_dictionaries({"title": LINE, "author": LINE}, optional=FIELDS))
    people = tuple(draw(PEOPLE))
    fields: dict[str, Any] = {**given, "contributors": people}
    return BookFields(**(fields | {"author": derived_author(people)} if people else fields))


@st.composite
def readings(draw: st.DrawFn) -> FileReading:
    """A reading that has ended: one with progress entries, or without."""
    first, second = sorted((draw(DATES), draw(DATES)))
    end: Any = draw(st.sampled_from(["finished", "abandoned"]))
    entries = draw(
        st.lists(st.builds(ProgressNote, PROGRESS, maybe(DATES), maybe(PROSE)), max_size=2, unique_by=str)
    )
    review = draw(maybe(PROSE))
    return FileReading(
        started=draw(st.sampled_from([None, first])),
        ended=draw(st.sampled_from([None, second])),
        end=end,
        format=draw(maybe(words(20))),
        stars=draw(maybe(STARS)),
        review=review,
        spoiler=draw(st.booleans()) and review is not None,
        reason=draw(maybe(PROSE)) if end == "abandoned" else None,
        entries=tuple(entries),
    )


TIMES = st.integers(0, 10**12).map(lambda moment: ADDED + timedelta(microseconds=moment))
COVERS = st.builds(
    Cover,
    st.sampled_from(["a" * 64, "b" * 64]),
    st.integers(1, 999),
    st.integers(1, 999),
    st.sampled_from(["#c08a3e", "#000000"]),
)
PASSAGES = st.builds(FilePassage, LINE, maybe(PROSE), maybe(PROGRESS))


@st.composite
def open_readings(draw: st.DrawFn) -> FileReading:
    """A reading that goes on, or is paused."""
    review = draw(maybe(PROSE))
    notes = st.builds(ProgressNote, PROGRESS, maybe(DATES), maybe(PROSE))
    return FileReading(
        started=draw(maybe(DATES)),
        end="open",
        paused=draw(st.booleans()),
        format=draw(maybe(words(20))),
        stars=draw(maybe(STARS)),
        review=review,
        spoiler=draw(st.booleans()) and review is not None,
        entries=tuple(draw(st.lists(notes, max_size=2, unique_by=str))),
    )


@st.composite
def shelf_books(draw: st.DrawFn) -> ShelfBook:
    """A book with readings in the sequence in which the shelf shows them."""
    listed = sorted(
        draw(st.lists(readings(), max_size=3)), key=lambda reading: reading.ended or reading.started or ""
    )
    listed += draw(st.lists(open_readings(), max_size=1))
    numbered = tuple(replace(reading, number=number) for number, reading in enumerate(listed, start=1))
    rated = [reading.stars for reading in numbered if reading.stars is not None]
    reviewed = [reading for reading in numbered if reading.review is not None]
    review = draw(maybe(PROSE)) if not reviewed else reviewed[-1].review
    return ShelfBook(
        id=str(draw(st.uuids())),
        book=draw(book_fields()),
        added=ADDED + timedelta(microseconds=draw(st.integers(0, 10**12))),
        readings=numbered,
        stars=rated[-1] if rated else draw(maybe(STARS)),
        review=review,
        cover=draw(maybe(COVERS)),
        spoiler=reviewed[-1].spoiler if reviewed else review is not None and draw(st.booleans()),
        passages=tuple(draw(st.lists(PASSAGES, max_size=2, unique_by=str))),
    )


SHELF_BOOKS = shelf_books()
NUMBER = st.integers(1, 99)
GOALS = st.builds(FileGoal, year=st.integers(1900, 2100), books=NUMBER, pages=maybe(NUMBER))


@st.composite
def entries_of(draw: st.DrawFn, books: list[ShelfBook]) -> tuple[FileEntry, ...]:
    """The entries of a list: some of the books, in any order."""
    chosen = draw(st.permutations(books))[: draw(st.integers(0, len(books)))]
    return tuple(FileEntry(book.id, draw(TIMES)) for book in chosen)


@st.composite
def shelves(draw: st.DrawFn) -> list[Written]:
    """All that is on a shelf, in the sequence of an export."""
    books = draw(st.lists(SHELF_BOOKS, max_size=3, unique_by=lambda book: book.id))
    books.sort(key=lambda book: (book.added, book.id))
    up_next = draw(entries_of(books))
    named = st.builds(FileList, id=st.uuids().map(str), name=LINE, entries=entries_of(books))
    lists = draw(st.lists(named, max_size=2, unique_by=lambda each: each.id))
    goals = draw(st.lists(GOALS, max_size=2, unique_by=lambda goal: goal.year))
    goals.sort(key=lambda goal: goal.year)
    return [*books, *([FileList(id="up-next", name="", entries=up_next)] * bool(up_next)), *lists, *goals]
