"""The service lastreadbooks: lists the books that were finished last."""

from typing import Annotated, Any

from msgspec import Meta
from sqlalchemy import Index, MetaData, select, true

from bookshelf.cqrs.route import Answer, Owned, QueryRoute
from bookshelf.cqrs.view import View
from bookshelf.shelf.events import EVENTS, TOPIC
from bookshelf.shelf.fields import Book
from bookshelf.shelf.reading_rows import ReadingRows
from bookshelf.shelf.rows import BookRows, book_table, on_shelf, shown, shown_columns

TABLES = MetaData()
books = book_table("lastread_book", TABLES)
Index("lastread_by_day", books.c.owner, books.c.done, books.c.finished, books.c.version)
HANDLERS = BookRows(books, ReadingRows("lastread", TABLES, books)).handlers
VIEW = View(
    name="lastread", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True, version=2
)


class LastRead(Owned, forbid_unknown_fields=True, kw_only=True):
    """The parameters of the list: how many books."""

    limit: Annotated[int, Meta(ge=1, le=100, description="how many, at the most")] = 5


def last_read(db: Any, asked: LastRead) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return the books finished last, newest day first, then the latest event; unknown days come last."""
    newest = (books.c.finished.desc().nulls_last(), books.c.version.desc())
    finished = (*on_shelf(books, asked.owner), books.c.done == true())
    rows = db.execute(select(*shown_columns(books)).where(*finished).order_by(*newest).limit(asked.limit))
    return Answer([shown(row) for row in rows])


ROUTES = (
    QueryRoute(
        path="/books/last/read",
        summary="The books read last, newest first",
        view=VIEW,
        query=last_read,
        params=LastRead,
        returns=list[Book],
    ),
)
