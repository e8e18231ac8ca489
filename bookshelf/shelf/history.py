"""The history of a book: its events, and its state at a given time, from a table beside the book list's."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    bindparam,
    func,
    insert,
    select,
)

from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.route import Answer, Owned
from bookshelf.cqrs.view import Change, Recorded
from bookshelf.shelf import field_types
from bookshelf.shelf.book import BOOK, to_answer
from bookshelf.shelf.events import EVENTS, TOPIC, BookAdded, GoalSet, ListCreated
from bookshelf.shelf.fields import Book
from bookshelf.shelf.goals import owner_of_goal
from bookshelf.storage.paging import FETCHED_ROWS, After, Cursor, Limit, read_cursor, take_items, write_cursor
from bookshelf.storage.statements import BYTES, TEXT


class Happened(msgspec.Struct, frozen=True):
    """One event of a book."""

    type: Annotated[str, Meta(description="the type of the event", examples=["shelf.book-finished.v1"])]
    time: Annotated[datetime, Meta(examples=["2026-01-31T12:00:00Z"])]
    actor: Annotated[str, Meta(description="whose command it was", examples=["reader"])]
    position: Annotated[str, Meta(description="where it is in the log", examples=["bookshelf/0@42"])]
    data: Annotated[dict[str, Any], Meta(description="the fields of the event", examples=[{"rating": 5}])]
    correlation: (
        Annotated[str, Meta(description="the id that joins many changes, like those of an import")]
        | UnsetType
    ) = UNSET


class OneBook(Owned, forbid_unknown_fields=True, kw_only=True):
    """The parameters of a book's history: the book, how many of its events, and from which cursor on."""

    id: field_types.BookId
    limit: Limit = 100
    after: After | None = None


_ORDER = "history"
_NEVER = "there never was such a book on the shelf"


def history_table(metadata: MetaData) -> Table:
    """Return the table of events. `first`: it is the first event of its change.

    `owner` is the person whose book, list or goal it is, empty for the local reader.
    """
    events = Table(
        "booklist_event",
        metadata,
        Column("part", Integer, primary_key=True, autoincrement=False),
        Column("off", BigInteger, primary_key=True, autoincrement=False),
        Column("subject", TEXT, nullable=False),
        Column("owner", TEXT, nullable=False),
        Column("type", TEXT, nullable=False),
        Column("time", TEXT, nullable=False),
        Column("actor", TEXT, nullable=False),
        Column("data", BYTES, nullable=False),
        Column("change", TEXT, nullable=False),
        Column("first", Boolean, nullable=False),
        Column("correlation", TEXT),
        Column("undoes", TEXT),
        sqlite_with_rowid=False,
    )
    # unique, so that it is there during a rebuild too: the owner of each event is looked up by it
    Index("booklist_event_of", events.c.subject, events.c.off, events.c.part, unique=True)
    Index("booklist_event_change", events.c.owner, events.c.change)
    joined = events.c.correlation.is_not(None)
    columns = (events.c.owner, events.c.correlation, events.c.change)
    Index("booklist_event_joined", *columns, sqlite_where=joined, postgresql_where=joined)
    return events


class History:
    """The handler and the queries of the table of events. The history of a removed book stays."""

    def __init__(self, events: Table) -> None:
        self.events = events
        self._insert = insert(events)
        former = events.alias()
        owner = select(former.c.owner).where(former.c.subject == bindparam("of")).order_by(former.c.off)
        self._insert_next = self._insert.values(owner=func.coalesce(owner.limit(1).scalar_subquery(), ""))

    def record(self, event: Event, recorded: Recorded) -> Iterable[Change]:
        """Insert one row for each event."""
        match event:
            case BookAdded(owner=owner) | ListCreated(owner=owner):
                whose, statement = {"owner": owner or ""}, self._insert
            case GoalSet():
                whose, statement = {"owner": owner_of_goal(recorded.subject)}, self._insert
            case _:
                whose, statement = {"of": recorded.subject}, self._insert_next
        yield (
            statement,
            {
                **whose,
                "part": recorded.partition,
                "off": recorded.offset,
                "subject": recorded.subject,
                "type": recorded.type,
                "time": recorded.time.isoformat(),
                "actor": recorded.actor,
                "data": recorded.data,
                "change": recorded.change,
                "first": recorded.change == recorded.id,
                "correlation": recorded.correlation or None,
                "undoes": recorded.undoes or None,
            },
        )

    def of(self, book_id: str) -> Select[Any]:
        """Return the query of all events of one book, in the order of the log."""
        return select(self.events).filter_by(subject=book_id).order_by(self.events.c.off)

    def history(self, db: Any, asked: OneBook) -> Answer:  # noqa: ANN401 (the storage's connection)
        """Return a page of the book's events, oldest first. Raises `NotFound`, `Invalid`."""
        query = self.of(asked.id)
        if asked.after is not None:
            query = query.where(self.events.c.off > _offset(asked.after, asked.id))
        items, last = take_items(db, query, asked.limit, happened)
        if not items and asked.after is None:
            raise NotFound(_NEVER)
        return Answer(items, after=last and write_cursor(Cursor(_ORDER, (last.off,), asked.id)))

    def as_of(self, db: Any, book_id: str, moment: datetime, owner: str | None = None) -> Book:  # noqa: ANN401 (a connection)
        """Return the book after its events up to a moment. Raises `NotFound`."""
        with db.execute(self.of(book_id).execution_options(yield_per=FETCHED_ROWS)) as rows:
            first = rows.fetchone()
            if first is None:
                raise NotFound(_NEVER)
            book = BOOK.fold(_events_until(moment, chain((first,), rows)))
        if not book.here or book.owner != owner:
            raise NotFound("the book was not on the shelf at that time")
        return to_answer(book_id, book)


def _offset(after: str, book_id: str) -> int:
    """Return the offset of a cursor. Raises `Invalid` if it belongs to another list."""
    cursor = read_cursor(after, _ORDER, (int,))
    if cursor.id != book_id or not cursor.key:
        raise Invalid("belongs to another list; begin again without it", field="after")
    return int(cursor.key[0])


def _events_until(moment: datetime, rows: Iterable[Any]) -> Iterator[Event]:
    for row in rows:
        if datetime.fromisoformat(row.time) <= moment:
            event = EVENTS.decode(row.type, row.data)
            if event is not None:
                yield event


def happened(row: Any) -> Happened:  # noqa: ANN401 (a row of the table)
    """Return the event of a row."""
    time = datetime.fromisoformat(row.time)
    return Happened(
        row.type,
        time,
        row.actor,
        str(Position(TOPIC, row.part, row.off)),
        msgspec.json.decode(row.data),
        row.correlation or UNSET,
    )
