"""The service booklist: lists and searches the books, and shows one with its history."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import Index, MetaData, bindparam, select

from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.route import Answer, QueryRoute
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.shelf import field_types
from bookshelf.shelf.events import EVENTS, TOPIC
from bookshelf.shelf.fields import Book
from bookshelf.shelf.history import Happened, History, OneBook, history_table
from bookshelf.shelf.paging import After, Cursor, Limit, Order, in_order, take_items, write_cursor
from bookshelf.shelf.rows import BookTable, book_table, shown
from bookshelf.storage.fulltext import has_words, index_words

TABLES = MetaData()
books = book_table("booklist_book", TABLES)
Index("booklist_by_added", books.c.added, books.c.id)
index_words(books, ("title", "author", "tags"))
HISTORY = History(history_table(TABLES))


def _both(keep_row: Handler) -> Handler:
    def keep(event: Event, recorded: Recorded) -> Iterable[Change]:
        yield from keep_row(event, recorded)
        yield from HISTORY.record(event, recorded)

    return keep


HANDLERS: Mapping[type[Event], Handler] = {
    kind: _both(handler) for kind, handler in BookTable(books).handlers.items()
}
VIEW = View(name="booklist", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, version=2)

_ONE = select(books).where(books.c.id == bindparam("id"))


_STATE = Meta(description="only these; all if left out")


class Listing(msgspec.Struct, forbid_unknown_fields=True):
    """Which books, in which order, how many, from where on."""

    limit: Limit = 1000
    after: After | None = None
    q: (
        Annotated[
            str,
            Meta(
                max_length=200,
                description="words, or their beginnings, of title, author, tags",
                examples=["dune"],
            ),
        ]
        | None
    ) = None
    state: (
        Annotated[Literal["unread", "finished"], Meta(description="only these; all if left out")] | None
    ) = None
    sort: Annotated[Order, Meta(description="what to sort by; a minus sorts downwards")] = "added"


class AskedBook(msgspec.Struct, forbid_unknown_fields=True, rename={"as_of": "as-of"}):
    """Which book, and maybe as it was when: a time with its offset, like 2026-01-31T12:00:00Z."""

    id: field_types.BookId
    as_of: field_types.Moment | None = None


def listed(db: Any, asked: Listing) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return a page of books. Raises `Invalid`."""
    query = select(books)
    if asked.q is not None and asked.q.strip():
        query = query.where(has_words(db, books, asked.q))
    if asked.state is not None:
        query = query.where(books.c.done.is_(asked.state == "finished"))
    query = in_order(query, books, asked.sort, asked.after)
    items, last = take_items(db, query, asked.limit, shown)
    return Answer(items, after=last and write_cursor(Cursor(asked.sort, last.place, last.id)))


def one(db: Any, asked: AskedBook) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return one book, now or at a given time. Its version is the one for If-Match. Raises `NotFound`."""
    if asked.as_of is not None:
        return Answer(HISTORY.as_of(db, asked.id, asked.as_of))
    row = db.execute(_ONE, {"id": asked.id}).first()
    if row is None:
        raise NotFound("there is no such book on the shelf")
    return Answer(shown(row), version=str(row.version))


ROUTES = (
    QueryRoute(
        path="/books",
        summary="The books of the shelf",
        view=VIEW,
        query=listed,
        params=Listing,
        returns=list[Book],
    ),
    QueryRoute(
        path="/books/{id}",
        summary="One book, now or as it was",
        view=VIEW,
        query=one,
        params=AskedBook,
        returns=Book,
    ),
    QueryRoute(
        path="/books/{id}/history",
        summary="Everything that has happened to a book, oldest first",
        view=VIEW,
        query=HISTORY.history,
        params=OneBook,
        returns=list[Happened],
    ),
)
