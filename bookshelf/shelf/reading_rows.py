"""The rows of readings and of their progress entries, as each view that needs them keeps them."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Computed,
    Float,
    Integer,
    MetaData,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_update
from sqlalchemy.sql.dml import Update

from bookshelf.cqrs.view import DERIVED, Change, Handler, Recorded
from bookshelf.shelf import events
from bookshelf.shelf.fields import present
from bookshelf.shelf.search_text import join_tokens
from bookshelf.shelf.values import ReadingProgress
from bookshelf.storage.statements import TEXT

_json = msgspec.json.Encoder().encode


def derived_columns() -> list[Column[Any]]:
    """Return the columns of a table of books that follow from readings, or are the book's own beside them.

    `finished` is the partial date of the latest finished reading, `done` is true if there is one.
    """
    return [
        Column("done", Boolean, nullable=False),
        Column("state", TEXT, nullable=False),
        Column("finished", TEXT),
        Column("stars", Float),
        Column("review", TEXT),
        Column("spoiler", Boolean, nullable=False),
        Column("readings", Integer, nullable=False),
        Column("progress", TEXT),
        Column("progress_rank", Float),
        Column("own_stars", Float),
        Column("own_review", TEXT),
        Column("own_spoiler", Boolean, nullable=False),
    ]


def fraction_of(progress: ReadingProgress) -> float | None:
    """Return how far a progress is from 0 to 1; None if its total is unknown."""
    if progress.percent is not None:
        return progress.percent / 100
    value = progress.page if progress.page is not None else progress.minutes
    return None if value is None or not progress.of else value / progress.of


class ReadingRows:
    """Two tables, `NAME_reading` and `NAME_progress`, and the handlers of the events of readings of `books`.

    `indexed`: readings have a column `words`, the search tokens of their reviews. `dated`: they have the
    owner of the book, and the `day` that they are sorted by: the end, else the start.
    """

    def __init__(
        self, name: str, metadata: MetaData, books: Table, *, indexed: bool = False, dated: bool = False
    ) -> None:
        self._books = books
        self._indexed = indexed
        self.readings = Table(
            f"{name}_reading",
            metadata,
            Column("book", TEXT, primary_key=True),
            Column("reading", Integer, primary_key=True, autoincrement=False),
            *(Column(field, TEXT) for field in ("started", "ended", "format", "reason", "review")),
            Column("end", TEXT, nullable=False),
            Column("stars", Float),
            *(Column(flag, Boolean, nullable=False) for flag in ("paused", "spoiler", "removed")),
            *([Column("words", TEXT)] if indexed else []),
            *([Column("owner", TEXT), Column("day", TEXT, Computed(_DAY, persisted=True))] if dated else []),
            sqlite_with_rowid=False,
        )
        self.progress = _progress_table(f"{name}_progress", metadata)
        self._update = lru_cache(maxsize=64)(lambda names: _update(self.readings, names))
        self._start = insert(self.readings)
        self._finish = self._finish_statement()
        if dated:
            owner = select(books.c.owner).where(books.c.id == bindparam("of")).scalar_subquery()
            self._start, self._finish = self._start.values(owner=owner), self._finish.values(owner=owner)
        self._add_progress = insert(self.progress)
        entry = self.progress.c
        self._remove_progress = delete(self.progress).where(
            entry.book == bindparam("row"),
            entry.reading == bindparam("number"),
            entry.entry == bindparam("position"),
        )

    def handlers_with(
        self, more: Mapping[str, ColumnElement[Any]] | None = None
    ) -> Mapping[type[Any], Handler]:
        """Return the handlers, which also derive the columns of books, and `more` columns of them."""
        books = self._books
        derive = update(books).where(books.c.id == bindparam("row")).execution_options(**{DERIVED: True})
        derived = {"version": bindparam("offset"), **self._derived(books), **(more or {})}
        derived = {name: value for name, value in derived.items() if name in books.c}
        derive = derive.values(derived)

        def deriving(handle: Callable[[Any, str], Change | None]) -> Handler:
            def handler(event: Any, recorded: Recorded) -> Iterable[Change]:  # noqa: ANN401 (one event's)
                if (change := handle(event, recorded.subject)) is not None:
                    yield change
                if derived:
                    versioned = {"offset": recorded.offset} if "version" in derived else {}
                    yield derive, {"row": recorded.subject, **versioned}

            return handler

        handlers: Mapping[type[Any], Callable[[Any, str], Change | None]] = {
            **self._assessing(books),
            events.ReadingStarted: self._started,
            events.ReadingProgressed: self._progressed,
            events.ProgressRemoved: lambda event, book: (
                self._remove_progress,
                {"row": book, "number": event.reading, "position": event.entry},
            ),
            events.ReadingFinished: self._finished,
            events.ReadingCorrected: self._corrected,
            events.ReadingAbandoned: lambda event, book: self._set(
                book,
                event.reading,
                {"end": "abandoned", "ended": event.on, "paused": False, "reason": event.reason},
            ),
            **{kind: self._setting(columns) for kind, columns in _SET.items()},
        }
        return {kind: deriving(handle) for kind, handle in handlers.items()}

    def _assessing(self, books: Table) -> Mapping[type[Any], Callable[[Any, str], Change | None]]:
        """Return the handlers of stars and reviews, of readings and of the book itself."""
        of_book = update(books).where(books.c.id == bindparam("row"))
        own_stars = of_book.values(own_stars=bindparam("stars"))
        spoken: dict[str, Any] = {"own_words": bindparam("words")} if self._indexed else {}
        own_review = of_book.values(own_review=bindparam("text"), own_spoiler=bindparam("spoils"), **spoken)

        has_own = "own_stars" in books.c

        def rated(event: events.BookRated, book: str) -> Change | None:
            if event.reading is None:
                return (own_stars, {"row": book, "stars": event.stars}) if has_own else None
            return self._set(book, event.reading, {"stars": event.stars})

        def reviewed(event: events.BookReviewed, book: str) -> Change | None:
            words = self._words(event.text)
            if event.reading is None:
                own = {"row": book, "text": event.text, "spoils": event.spoiler, **words}
                return (own_review, own) if has_own else None
            return self._set(book, event.reading, {"review": event.text, "spoiler": event.spoiler, **words})

        return {events.BookRated: rated, events.BookReviewed: reviewed}

    def _setting(self, columns: Mapping[str, Any]) -> Callable[[Any, str], Change]:
        return lambda event, book: self._set(book, event.reading, columns)

    def _set(self, book: str, number: int, columns: Mapping[str, Any]) -> Change:
        return self._update(tuple(sorted(columns))), {**columns, "row": book, "number": number}

    def _words(self, review: str | None) -> Mapping[str, Any]:
        return {"words": join_tokens([review]) or None} if self._indexed else {}

    def _row(self, book: str, number: int, **columns: object) -> Mapping[str, Any]:
        return {**_NEW, **self._words(None), "of": book, "book": book, "reading": number, **columns}

    def _started(self, event: events.ReadingStarted, book: str) -> Change:
        return self._start, self._row(book, event.reading, started=event.started, format=event.format)

    def _finished(self, event: events.ReadingFinished, book: str) -> Change:
        words = self._words(event.review)
        result = {"ended": event.finished, "stars": event.stars, "review": event.review, **words}
        return self._finish, self._row(book, event.reading, end="finished", **result)

    def _corrected(self, event: events.ReadingCorrected, book: str) -> Change:
        return self._set(book, event.reading, {k: v for k, v in present(event).items() if k != "reading"})

    def _progressed(self, event: events.ReadingProgressed, book: str) -> Change:
        return self._add_progress, {
            "book": book,
            "reading": event.reading,
            "entry": event.entry,
            "progress": _json(event.progress).decode(),
            "fraction": fraction_of(event.progress),
            "on": event.on,
            "note": event.note,
        }

    def _finish_statement(self) -> Any:  # noqa: ANN401 (Core's)
        """Return the statement that finishes a reading, and inserts it if its number is new."""
        table = self.readings
        new = insert_or_update(table)  # SQLite and PostgreSQL write it alike
        given = new.excluded
        kept = {name: func.coalesce(given[name], table.c[name]) for name in ("stars", "review")}
        if self._indexed:
            kept["words"] = func.coalesce(given.words, table.c.words)
        spoiler = case((given.review.is_(None), table.c.spoiler), else_=false())
        ended = {"end": given.end, "ended": given.ended, "paused": false(), "reason": None}
        keys = [table.c.book, table.c.reading]
        return new.on_conflict_do_update(index_elements=keys, set_={**ended, **kept, "spoiler": spoiler})

    def _derived(self, books: Table) -> dict[str, ColumnElement[Any]]:
        reading, entry = self.readings.c, self.progress.c
        here = and_(reading.book == books.c.id, reading.removed == false())
        is_open = reading.end == "open"
        latest = (
            is_open.desc(),
            func.coalesce(reading.ended, reading.started, "").desc(),
            reading.reading.desc(),
        )

        def of_latest(column: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
            query = select(column).where(here, *conditions).order_by(*latest).limit(1)
            return query.scalar_subquery()

        def of_progress(column: ColumnElement[Any]) -> ColumnElement[Any]:
            matching = and_(entry.book == reading.book, entry.reading == reading.reading)
            newest = (func.coalesce(entry.on, "").desc(), entry.entry.desc())
            query = select(column).where(here, matching, is_open).order_by(*newest)
            return query.limit(1).scalar_subquery()

        def own(name: str) -> ColumnElement[Any]:
            return books.c.get(name, null())

        level = case((is_open & reading.paused, 4), (is_open, 3), (reading.end == "finished", 2), else_=1)
        highest = select(func.max(level)).where(here).scalar_subquery()
        return {
            "state": case(_STATES, value=highest, else_="unread"),
            "done": exists().where(here, reading.end == "finished"),
            "finished": of_latest(reading.ended, reading.end == "finished"),
            "stars": func.coalesce(of_latest(reading.stars, reading.stars.is_not(None)), own("own_stars")),
            "review": func.coalesce(
                of_latest(reading.review, reading.review.is_not(None)), own("own_review")
            ),
            "spoiler": func.coalesce(
                of_latest(reading.spoiler, reading.review.is_not(None)), own("own_spoiler")
            ),
            "readings": select(func.count()).where(here).scalar_subquery(),
            "progress": of_progress(entry.progress),
            "progress_rank": of_progress(entry.fraction),
        }


_DAY = "coalesce(ended, started)"
_STATES = {1: "abandoned", 2: "finished", 3: "reading", 4: "paused"}
_NEW: Mapping[str, Any] = {
    **dict.fromkeys(("started", "ended", "format", "reason", "review", "stars")),
    "end": "open",
    "paused": False,
    "spoiler": False,
    "removed": False,
}
#: The events that set the same columns of their reading each time.
_SET: Mapping[type[Any], Mapping[str, Any]] = {
    events.ReadingPaused: {"paused": True},
    events.ReadingResumed: {"paused": False},
    events.ReadingReopened: {"end": "open", "ended": None, "reason": None},
    events.ReadingRemoved: {"removed": True},
    events.ReadingRestored: {"removed": False},
}


def _progress_table(name: str, metadata: MetaData) -> Table:
    return Table(
        name,
        metadata,
        Column("book", TEXT, primary_key=True),
        *(Column(key, Integer, primary_key=True, autoincrement=False) for key in ("reading", "entry")),
        Column("progress", TEXT, nullable=False),
        Column("fraction", Float),
        Column("on", TEXT),
        Column("note", TEXT),
        sqlite_with_rowid=False,
    )


def _update(table: Table, names: Iterable[str]) -> Update:
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    place = (table.c.book == bindparam("row"), table.c.reading == bindparam("number"))
    return update(table).where(*place).values(values)
