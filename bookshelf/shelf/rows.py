"""The rows of books and of their readings, and the handlers that keep them. Each view has tables of its own.

After each event of a reading, one statement derives what the book shows of its readings from their rows; it
follows the same rules as `book_readings.Readings.summary`.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Integer,
    MetaData,
    Table,
    bindparam,
    false,
    insert,
    update,
)
from sqlalchemy.sql.dml import Update

from bookshelf.cqrs.message import Event
from bookshelf.cqrs.view import Change, Handler, Recorded
from bookshelf.shelf.book_readings import ReadingSummary
from bookshelf.shelf.events import (
    EVENTS,
    BookAdded,
    BookChanged,
    BookRemoved,
    BookRestored,
    CoverRemoved,
    CoverSet,
)
from bookshelf.shelf.fields import FIELD_TYPES, FIRST_FIELDS, Book, present, to_book
from bookshelf.shelf.reading_rows import ReadingRows, derived_columns
from bookshelf.shelf.values import Contributor, Cover, ReadingProgress, SeriesEntry
from bookshelf.storage.statements import TEXT

_json = msgspec.json.Encoder().encode
#: The fields that are stored as JSON; empty ones as null.
_JSON_FIELDS: Mapping[str, Any] = {
    "tags": tuple[str, ...],
    "contributors": tuple[Contributor, ...],
    "series": tuple[SeriesEntry, ...],
    "ids": dict[str, str],
    "extra": dict[str, str],
}
_INTEGERS = frozenset({"pages", "minutes", "copies"})
_DECODERS: Mapping[str, Callable[[str], Any]] = {
    name: msgspec.json.Decoder(kind).decode
    for name, kind in {**_JSON_FIELDS, "cover": Cover, "progress": ReadingProgress}.items()
}


def book_table(
    name: str, metadata: MetaData, *more: Column[Any], only: Container[str] | None = None
) -> Table:
    """Return a table of books, with all columns or `only` some beside those that every one has.

    `owner` is empty for the local reader. A removed book keeps its row. `version` is the offset of the newest
    event; times sort as texts.
    """
    columns: list[Column[Any]] = [
        *(Column(field, Integer if field in _INTEGERS else TEXT) for field in FIELD_TYPES),
        Column("cover", TEXT),
        Column("added", TEXT, nullable=False),
        Column("version", BigInteger, nullable=False),
        *derived_columns(),
    ]
    return Table(
        name,
        metadata,
        Column("seq", Integer, primary_key=True),
        Column("id", TEXT, nullable=False, unique=True),
        Column("owner", TEXT, nullable=False),
        Column("removed", Boolean, nullable=False),
        *(column for column in columns if only is None or column.name in only),
        *more,
    )


def on_shelf(books: Table, owner: str | None) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions that a book is a person's (None: the local reader's) and not removed."""
    return books.c.owner == (owner or ""), books.c.removed == false()


def _no_columns(_fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


class BookRows:
    """The handlers that keep a table of books, and the tables of their readings and progress entries.

    The columns that the table does not have are left out. `compute` returns the values of further columns for
    the fields of an event; `derived` are further columns that follow from readings.
    """

    def __init__(
        self,
        books: Table,
        readings: ReadingRows,
        compute: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _no_columns,
        derived: Mapping[str, ColumnElement[Any]] | None = None,
    ) -> None:
        # two statements, so that a batch of books of the first release's fields has fewer columns
        self._insert, self._insert_all = insert(books), insert(books)
        self._update = lru_cache(maxsize=256)(lambda names: _update(books, names))
        self._compute = compute
        empty = [column.name for column in books.c if column.computed is None and column.name != "seq"]
        self._columns = frozenset(empty)
        self._fields = tuple(name for name in FIELD_TYPES if name in self._columns)
        self._all_empty = {**dict.fromkeys(empty), **self._known(_EMPTY_ROW)}
        first = {*FIRST_FIELDS, *compute(_SAMPLE), *_EMPTY_ROW}
        self._empty = {name: value for name, value in self._all_empty.items() if name in first}
        self.handlers: Mapping[type[Any], Handler] = {
            **dict.fromkeys(EVENTS, self.concerned),
            BookAdded: self.added,
            BookChanged: self.changed,
            BookRemoved: lambda _event, recorded: self._set(recorded, {"removed": True}),
            BookRestored: lambda _event, recorded: self._set(recorded, {"removed": False}),
            CoverSet: lambda event, recorded: self._set(recorded, {"cover": _text(event)}),
            CoverRemoved: lambda _event, recorded: self._set(recorded, {"cover": None}),
            **readings.handlers_with(derived),
        }

    def concerned(self, _event: Event, recorded: Recorded) -> Iterable[Change]:
        """Set the version only: If-Match compares it with the offset of the newest event of any type."""
        return self._set(recorded, {})

    def added(self, event: BookAdded, recorded: Recorded) -> Iterable[Change]:
        """Insert a row."""
        # an empty text and the number 0 are values
        fields = {
            name: value
            for name in self._fields
            if (value := getattr(event, name)) or (value is not None and value not in ((), {}))
        }
        beside = {
            "id": recorded.subject,
            "owner": event.owner or "",
            "added": event.added.isoformat(),
            "version": recorded.offset,
        }
        lean = _FIRST.issuperset(fields)
        row = {
            **(self._empty if lean else self._all_empty),
            **_stored(fields),
            **self._compute(fields),
            **self._known(beside),
        }
        yield (self._insert if lean else self._insert_all), row

    def changed(self, event: BookChanged, recorded: Recorded) -> Iterable[Change]:
        """Update the columns of the fields that the event has."""
        fields = present(event)
        return self._set(recorded, {**_stored(fields), **self._compute(fields)})

    def _set(self, recorded: Recorded, columns: Mapping[str, Any]) -> Iterable[Change]:
        """Return the change that sets columns of the book, and its version."""
        values = self._known({**columns, "version": recorded.offset})
        return [(self._update(tuple(sorted(values))), {**values, "row": recorded.subject})] if values else ()

    def _known(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values of the columns that the table has."""
        if self._columns.issuperset(values):
            return values
        return {name: value for name, value in values.items() if name in self._columns}


_FIRST = frozenset(FIRST_FIELDS)
#: A book with all fields of the first release: further columns of others follow from later fields.
_SAMPLE: Mapping[str, Any] = {name: ("",) if name == "tags" else "" for name in FIRST_FIELDS}
#: The values of a new row beside its fields, where they are not null.
_EMPTY_ROW: Mapping[str, Any] = {
    "removed": False,
    "title": "",
    "author": "",
    "done": False,
    **msgspec.structs.asdict(ReadingSummary()),
    "own_spoiler": False,
}


def _text(value: Any) -> str:  # noqa: ANN401 (any value that JSON has)
    return _json(value).decode()


def _stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: (_text(value) if value else None) if name in _JSON_FIELDS else value
        for name, value in fields.items()
    }


def _update(table: Table, names: Iterable[str]) -> Update:
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return update(table).where(table.c.id == bindparam("row")).values(values)


_SUMMARY = tuple(field.name for field in msgspec.structs.fields(ReadingSummary))
_SHOWN = ("id", "added", "version", *FIELD_TYPES, "cover", *_SUMMARY)


def shown_columns(books: Table) -> list[Column[Any]]:
    """Return the columns that `shown` reads, and the version."""
    return [books.c[name] for name in _SHOWN]


def shown(row: Any) -> Book:  # noqa: ANN401 (a row that begins with these columns)
    """Return the book of a row."""
    # in one pass: each access to a column by its name costs more than all of this
    values = {name: value for name, value in zip(_SHOWN, row, strict=False) if value is not None}
    for name in _DECODERS.keys() & values.keys():
        values[name] = _DECODERS[name](values[name])
    summary = ReadingSummary(**{name: values.pop(name) for name in _SUMMARY if name in values})
    book_id, added, _ = values.pop("id"), values.pop("added"), values.pop("version")
    return to_book(book_id, {**values, "added": datetime.fromisoformat(added), **summary.to_fields()})
