"""The table of books: its columns, and the handlers of its events. Each view has a table of its own."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    insert,
    update,
)
from sqlalchemy.sql.dml import Update

from bookshelf.cqrs.message import Event
from bookshelf.cqrs.view import Change, Handler, Recorded
from bookshelf.shelf.events import EVENTS, BookAdded, BookChanged, BookRemoved, ReadingFinished
from bookshelf.shelf.fields import FIRST_FIELDS, Book, present
from bookshelf.shelf.values import whole_stars
from bookshelf.storage.bulk_insert import TEXT

_json = msgspec.json.Encoder().encode


def book_table(name: str, metadata: MetaData) -> Table:
    """Return a table of whole books. `version` is the offset of the newest event; times sort as texts."""
    texts = ("published", "isbn", "language", "notes", "finished", "review")
    return Table(
        name,
        metadata,
        Column("seq", Integer, primary_key=True),
        Column("id", TEXT, nullable=False, unique=True),
        Column("title", TEXT, nullable=False),
        Column("author", TEXT, nullable=False),
        *(Column(text, TEXT) for text in texts),
        Column("pages", Integer),
        Column("tags", TEXT, nullable=False),
        Column("done", Boolean, nullable=False),
        Column("rating", Integer),
        Column("added", TEXT, nullable=False),
        Column("version", BigInteger, nullable=False),
    )


class BookTable:
    """The handlers that keep one table of books."""

    def __init__(self, table: Table) -> None:
        self._insert = insert(table)
        self._delete = delete(table).where(table.c.id == bindparam("row"))
        self._update = lru_cache(maxsize=64)(lambda names: _update(table, names))
        self.handlers: Mapping[type[Any], Handler] = {
            **dict.fromkeys(EVENTS, self.concerned),
            BookAdded: self.added,
            BookChanged: self.changed,
            BookRemoved: self.removed,
            ReadingFinished: self.finished,
        }

    def concerned(self, _event: Event, recorded: Recorded) -> Iterable[Change]:
        """Set the version only: If-Match compares it with the offset of the newest event of any type."""
        yield self._set(recorded, {})

    def added(self, event: BookAdded, recorded: Recorded) -> Iterable[Change]:
        """Insert a row."""
        yield (
            self._insert,
            {
                "id": recorded.subject,
                "title": event.title,
                "author": event.author,
                "published": event.published,
                "isbn": event.isbn,
                "language": event.language,
                "notes": event.notes,
                "finished": None,
                "review": None,
                "pages": event.pages,
                "tags": _tags(event.tags),
                "done": False,
                "rating": None,
                "added": event.added.isoformat(),
                "version": recorded.offset,
            },
        )

    def changed(self, event: BookChanged, recorded: Recorded) -> Iterable[Change]:
        """Update the columns that the event has."""
        said = {name: value for name, value in present(event).items() if name in FIRST_FIELDS}
        if "tags" in said:
            said["tags"] = _tags(said["tags"])
        yield self._set(recorded, said)

    def removed(self, _event: BookRemoved, recorded: Recorded) -> Iterable[Change]:
        """Delete the row."""
        yield self._delete, {"row": recorded.subject}

    def finished(self, event: ReadingFinished, recorded: Recorded) -> Iterable[Change]:
        """Mark the book as finished on a day."""
        stars = event.stars and whole_stars(event.stars)
        said = {"done": True, "finished": event.finished, "rating": stars, "review": event.review}
        yield self._set(recorded, said)

    def _set(self, recorded: Recorded, said: Mapping[str, Any]) -> Change:
        values = {**said, "version": recorded.offset}
        return self._update(tuple(sorted(values))), {**values, "row": recorded.subject}


def _tags(tags: Iterable[str]) -> str:
    return _json(list(tags)).decode()


def _update(table: Table, names: Iterable[str]) -> Update:
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return update(table).where(table.c.id == bindparam("row")).values(values)


_tuple = msgspec.json.Decoder(tuple[str, ...]).decode


def shown(row: Any) -> Book:  # noqa: ANN401 (a row of such a table)
    """Return the book of a row."""
    return Book(
        id=row.id,
        title=row.title,
        author=row.author,
        published=row.published,
        isbn=row.isbn,
        pages=row.pages,
        language=row.language,
        tags=_tuple(row.tags),
        notes=row.notes,
        state="finished" if row.done else "unread",
        finished=date.fromisoformat(row.finished) if row.finished else None,
        rating=row.rating,
        review=row.review,
        added=datetime.fromisoformat(row.added),
    )
