"""The service readings: lists the readings and the passages of a book, and those of all books."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import (
    ColumnElement,
    Index,
    MetaData,
    Select,
    String,
    bindparam,
    case,
    cast,
    false,
    func,
    select,
)

from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.route import Answer, Owned, QueryRoute
from bookshelf.cqrs.view import Handler, View
from bookshelf.shelf import events, field_types
from bookshelf.shelf.passage_rows import PassageRows
from bookshelf.shelf.reading_routes import PassageAnswer, ProgressAnswer, ReadingAnswer
from bookshelf.shelf.reading_rows import ReadingRows
from bookshelf.shelf.rows import BookRows, book_table, on_shelf
from bookshelf.shelf.search_text import query_terms
from bookshelf.shelf.values import ReadingProgress
from bookshelf.storage.fulltext import TokenIndex
from bookshelf.storage.paging import After, Limit, ListPage, Sort, count_rows, list_page

TABLES = MetaData()
books = book_table("readings_book", TABLES, only={"title", "author"})
ROWS = ReadingRows("readings", TABLES, books, dated=True)
readings, entries = ROWS.readings, ROWS.progress
Index("readings_by_day", readings.c.owner, readings.c.day, readings.c.book)
PASSAGES = PassageRows("readings_passage", TABLES, books, whole=True)
passages = PASSAGES.table
Index("readings_passage_of", passages.c.owner, passages.c.book, passages.c.number)
INDEX = TokenIndex(passages, {"quote_words": 1, "note_words": 1})
HANDLERS: Mapping[type[Any], Handler] = {**BookRows(books, ROWS).handlers, **PASSAGES.handlers}
VIEW = View(
    name="readings",
    topic=events.TOPIC,
    catalogue=events.EVENTS,
    tables=TABLES,
    handlers=HANDLERS,
    keyed=True,
    opens=True,
)


_progress = msgspec.json.Decoder(ReadingProgress).decode


class ListedReading(ReadingAnswer, frozen=True, kw_only=True):
    """A reading with its book; its progress entries are left out unless the query asks for them."""

    book: field_types.BookId
    title: Annotated[str, Meta(examples=["Dune"])]
    author: Annotated[str, Meta(examples=["Frank Herbert"])]


class ListedPassage(PassageAnswer, frozen=True, kw_only=True):
    """A passage with its book."""

    book: field_types.BookId
    title: Annotated[str, Meta(examples=["Dune"])]
    author: Annotated[str, Meta(examples=["Frank Herbert"])]


class OfBook(Owned, forbid_unknown_fields=True, kw_only=True):
    """The parameters of a list of one book: the book, how many, and from where on."""

    id: field_types.BookId
    limit: Limit = 1000
    after: After | None = None


class AllReadings(Owned, forbid_unknown_fields=True, kw_only=True):
    """Which readings, how many, and from where on."""

    state: (
        Annotated[
            Literal["reading", "paused", "finished", "abandoned"],
            Meta(description="only readings in this state"),
        ]
        | None
    ) = None
    year: (
        Annotated[
            int,
            Meta(ge=1, le=9999, description="only those that ended, or began, in this year", examples=[2024]),
        ]
        | None
    ) = None
    entries: Annotated[bool, Meta(description="true: with their progress entries")] = False
    limit: Limit = 1000
    after: After | None = None


class AllPassages(Owned, forbid_unknown_fields=True, kw_only=True):
    """Which passages, how many, and from where on."""

    q: (
        Annotated[str, Meta(max_length=200, description="words of quote or note", examples=["fear"])] | None
    ) = None
    book: field_types.BookId | None = None
    limit: Limit = 1000
    after: After | None = None


_STATES: Mapping[str, ColumnElement[bool]] = {
    "reading": (readings.c.end == "open") & (readings.c.paused == false()),
    "paused": (readings.c.end == "open") & readings.c.paused,
    "finished": readings.c.end == "finished",
    "abandoned": readings.c.end == "abandoned",
}
_OPEN = case((readings.c.end == "open", 1), else_=0)
#: The latest day on which a reading stood somewhere.
_NEWEST = (func.coalesce(entries.c.on, "").desc(), entries.c.entry.desc())
_OF_READING = (entries.c.book == readings.c.book, entries.c.reading == readings.c.reading)
_PROGRESS = select(entries.c.progress).where(*_OF_READING).order_by(*_NEWEST).limit(1).scalar_subquery()
_ID = readings.c.book + "/" + cast(readings.c.reading, String)
_READINGS = select(
    readings, _PROGRESS.label("progress"), _ID.label("id"), books.c.title, books.c.author
).join(books, books.c.id == readings.c.book)
_PASSAGES = select(passages, books.c.id.label("id"), books.c.title, books.c.author).join(
    books, books.c.id == passages.c.book
)
_ENTRIES = (
    select(entries)
    .where(entries.c.book == bindparam("of"), entries.c.reading == bindparam("at"))
    .order_by(entries.c.entry)
)


def _check_book(db: Any, asked: OfBook) -> None:  # noqa: ANN401 (the storage's connection)
    if db.scalar(select(books.c.id).where(books.c.id == asked.id, *on_shelf(books, asked.owner))) is None:
        raise NotFound("there is no such book on the shelf")


def _reading(row: Any) -> dict[str, Any]:  # noqa: ANN401 (a row of the query)
    names = ("started", "ended", "end", "paused", "format", "reason", "stars", "review", "spoiler")
    progress = None if row.progress is None else _progress(row.progress)
    return {"number": row.reading, "progress": progress, **{name: getattr(row, name) for name in names}}


def _passage(row: Any) -> dict[str, Any]:  # noqa: ANN401 (a row of the query)
    progress = None if row.progress is None else _progress(row.progress)
    return {"number": row.number, "quote": row.quote, "note": row.note, "progress": progress}


def _entries_of(db: Any, row: Any) -> tuple[ProgressAnswer, ...]:  # noqa: ANN401 (the storage's connection, a row)
    if row.progress is None:
        return ()
    return tuple(
        ProgressAnswer(entry=noted.entry, progress=_progress(noted.progress), on=noted.on, note=noted.note)
        for noted in db.execute(_ENTRIES, {"of": row.book, "at": row.reading})
    )


def readings_of_book(db: Any, asked: OfBook) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return the readings of a book by date, the open one last, each with its progress entries.

    Raises `NotFound`, `Invalid`.
    """
    _check_book(db, asked)

    def render(row: Any) -> ReadingAnswer:  # noqa: ANN401 (a row of the query)
        return ReadingAnswer(entries=_entries_of(db, row), **_reading(row))

    query = _READINGS.where(readings.c.book == asked.id, readings.c.removed == false())
    sort = Sort((_OPEN, func.coalesce(readings.c.day, ""), readings.c.reading), (int, str, int))
    page = list_page(
        db, query, _ID, order="day", sort=sort, limit=asked.limit, render=render, after=asked.after
    )
    return Answer(page.items, after=page.after)


def all_readings(db: Any, asked: AllReadings) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return readings of all books, the latest first and those without a date last. Raises `Invalid`."""
    day = readings.c.day
    matching = [readings.c.owner == (asked.owner or ""), readings.c.removed == false()]
    matching.append(books.c.removed == false())
    if asked.state is not None:
        matching.append(_STATES[asked.state])
    if asked.year is not None:
        matching.append((day >= f"{asked.year:04}") & (day < f"{asked.year + 1:04}"))

    def render(row: Any) -> ListedReading:  # noqa: ANN401 (a row of the query)
        entries = _entries_of(db, row) if asked.entries else ()
        of_book = {"book": row.book, "title": row.title, "author": row.author}
        return ListedReading(entries=entries, **of_book, **_reading(row))

    page = list_page(
        db,
        _READINGS.where(*matching),
        _ID,
        order="-day",
        sort=Sort((day,), (str,), nullable=True),
        limit=asked.limit,
        render=render,
        after=asked.after,
    )
    return Answer(page.items, after=page.after, count=count_rows(db, _READINGS.where(*matching)))


def _page_of_passages(db: Any, query: Select[Any], asked: OfBook | AllPassages, render: Any) -> ListPage:  # noqa: ANN401 (see above)
    sort = Sort((books.c.title, passages.c.book, passages.c.number), (str, str, int))
    return list_page(
        db, query, books.c.id, order="title", sort=sort, limit=asked.limit, render=render, after=asked.after
    )


def passages_of_book(db: Any, asked: OfBook) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return the passages of a book by number. Raises `NotFound`, `Invalid`."""
    _check_book(db, asked)
    query = _PASSAGES.where(passages.c.book == asked.id)
    page = _page_of_passages(db, query, asked, lambda row: PassageAnswer(**_passage(row)))
    return Answer(page.items, after=page.after)


def all_passages(db: Any, asked: AllPassages) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return passages of all books, by the title of the book, with every word of `q`. Raises `Invalid`."""
    matching = [passages.c.owner == (asked.owner or ""), books.c.removed == false()]
    if asked.book is not None:
        matching.append(passages.c.book == asked.book)
    if asked.q is not None and asked.q.strip():
        terms = query_terms(asked.q)
        matching.append(INDEX.has_terms(db, terms) if terms else false())
    query = _PASSAGES.where(*matching)
    page = _page_of_passages(
        db,
        query,
        asked,
        lambda row: ListedPassage(book=row.book, title=row.title, author=row.author, **_passage(row)),
    )
    return Answer(page.items, after=page.after, count=count_rows(db, query))


ROUTES = (
    QueryRoute(
        path="/books/{id}/readings",
        summary="The readings of a book by date, with their progress entries",
        view=VIEW,
        query=readings_of_book,
        params=OfBook,
        returns=list[ReadingAnswer],
    ),
    QueryRoute(
        path="/readings",
        summary="The readings of all books, the latest first",
        view=VIEW,
        query=all_readings,
        params=AllReadings,
        returns=list[ListedReading],
        counted=True,
    ),
    QueryRoute(
        path="/books/{id}/passages",
        summary="The passages of a book",
        view=VIEW,
        query=passages_of_book,
        params=OfBook,
        returns=list[PassageAnswer],
    ),
    QueryRoute(
        path="/passages",
        summary="The passages of all books, or those with certain words",
        view=VIEW,
        query=all_passages,
        params=AllPassages,
        returns=list[ListedPassage],
        counted=True,
    ),
)
