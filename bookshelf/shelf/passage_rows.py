"""The rows of passages with their search tokens, as each view that needs them keeps them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from bookshelf.cqrs.view import DERIVED, Change, Handler, Recorded
from bookshelf.shelf import events
from bookshelf.shelf.fields import present
from bookshelf.shelf.search_text import JOINED_MAX, join_tokens
from bookshelf.storage.fulltext import JoinedRows
from bookshelf.storage.statements import TEXT

_json = msgspec.json.Encoder().encode
#: The columns of each field of a passage, beside its tokens only where the table has all of it.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "quote": ("quote_words", "quote"),
    "note": ("note_words", "note"),
    "progress": ("progress",),
}


class PassageRows:
    """A table of passages, and the handlers of their events. The tokens are always there.

    `whole`: also their texts, and the owner of the book. A table of books with a column `passage_words` gets
    the tokens of all passages of a book there.
    """

    def __init__(self, name: str, metadata: MetaData, books: Table, *, whole: bool = False) -> None:
        texts = ("owner", "quote", "note", "progress") if whole else ()
        self.table = table = Table(
            name,
            metadata,
            Column("seq", Integer, primary_key=True),
            Column("book", TEXT, nullable=False),
            Column("number", Integer, nullable=False),
            *(Column(column, TEXT) for column in ("quote_words", "note_words", *texts)),
        )
        Index(f"{name}_by_book", table.c.book, table.c.number, unique=True)
        here = (table.c.book == bindparam("of"), table.c.number == bindparam("at"))
        self._insert = insert(table)
        if whole:
            owner = select(books.c.owner).where(books.c.id == bindparam("of")).scalar_subquery()
            self._insert = self._insert.values(owner=owner)
        self._delete = delete(table).where(*here)
        self._update = {
            field: update(table).where(*here).values({name: bindparam(f"new_{name}") for name in names})
            for field, columns in _COLUMNS.items()
            if (names := [column for column in columns if column in table.c])
        }
        self._derive = None if "passage_words" not in books.c else _derive(books, table)
        self.handlers: Mapping[type[Any], Handler] = {
            events.PassageAdded: self._deriving(self._added),
            events.PassageChanged: self._deriving(self._changed),
            events.PassageRemoved: self._deriving(self._removed),
        }

    def _deriving(self, handle: Callable[[Any, str], Iterable[Change]]) -> Handler:
        def handler(event: Any, recorded: Recorded) -> Iterable[Change]:  # noqa: ANN401 (one event's)
            yield from handle(event, recorded.subject)
            if self._derive is not None:
                yield self._derive, {"row": recorded.subject, "offset": recorded.offset}

        return handler

    def _added(self, event: events.PassageAdded, book: str) -> Iterable[Change]:
        columns = self._columns({field: getattr(event, field) for field in _COLUMNS})
        yield self._insert, {"of": book, "book": book, "number": event.passage, **columns}

    def _changed(self, event: events.PassageChanged, book: str) -> Iterable[Change]:
        fields = present(event)
        for field in self._update.keys() & fields.keys():
            columns = self._columns({field: fields[field]})
            values = {f"new_{name}": value for name, value in columns.items()}
            yield self._update[field], {"of": book, "at": event.passage, **values}

    def _removed(self, event: events.PassageRemoved, book: str) -> Iterable[Change]:
        yield self._delete, {"of": book, "at": event.passage}

    def _columns(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns of fields, as far as the table has them."""
        columns: dict[str, Any] = {}
        for field, value in fields.items():
            stored = _json(value).decode() if field == "progress" and value is not None else value
            for name in _COLUMNS[field]:
                if name in self.table.c:
                    columns[name] = join_tokens([value]) if name.endswith("_words") else stored
        return columns


def _derive(books: Table, passages: Table) -> Any:  # noqa: ANN401 (Core's)
    words = passages.c.quote_words + " " + passages.c.note_words
    joined = joined_words(words, passages.c.book == books.c.id)
    derive = update(books).where(books.c.id == bindparam("row")).execution_options(**{DERIVED: True})
    return derive.values(version=bindparam("offset"), passage_words=joined)


def joined_words(column: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    """Return the subquery that joins the tokens of rows, as one column of tokens."""
    joined = select(func.trim(JoinedRows(column))).where(*conditions).scalar_subquery()
    return func.substr(func.replace(joined, "  ", " "), 1, JOINED_MAX)
