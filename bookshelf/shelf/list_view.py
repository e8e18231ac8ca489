"""The view of the service lists: the lists of an owner, and the books of one list in its order."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    update,
)

from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.route import Answer, Owned, QueryRoute
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.shelf import events
from bookshelf.shelf.events import EVENTS, TOPIC
from bookshelf.shelf.fields import Book
from bookshelf.shelf.lists import UP_NEXT, ListId, list_key
from bookshelf.shelf.name_rows import EntryRows
from bookshelf.shelf.reading_rows import ReadingRows
from bookshelf.shelf.rows import BookRows, book_table, on_shelf, shown, shown_columns
from bookshelf.shelf.sort_keys import name_key
from bookshelf.storage.paging import After, Limit, Sort, count_rows, list_page
from bookshelf.storage.statements import TEXT

TABLES = MetaData()
books = book_table("lists_book", TABLES)
_READINGS = ReadingRows("lists", TABLES, books)
lists = Table(
    "lists_list",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("owner", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("name_key", TEXT, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
)
Index("lists_by_owner", lists.c.owner, lists.c.name_key, lists.c.id)
_ENTRIES = EntryRows("lists_entry", TABLES)
entries = _ENTRIES.table
Index("lists_entry_by_rank", entries.c.list, entries.c.rank)
Index("lists_entry_by_book", entries.c.book)
# when the end of a reading was recorded, if its day is not known
endings = Table(
    "lists_ending",
    TABLES,
    Column("book", TEXT, primary_key=True),
    Column("reading", Integer, primary_key=True, autoincrement=False),
    Column("recorded", TEXT, nullable=False),
)

_CREATE = insert(lists)
_RENAME = (
    update(lists)
    .where(lists.c.id == bindparam("row"))
    .values(name=bindparam("text"), name_key=bindparam("key"), version=bindparam("offset"))
)
_SHOW = (
    update(lists)
    .where(lists.c.id == bindparam("row"))
    .values(removed=bindparam("gone"), version=bindparam("offset"))
)
_TOUCH = update(lists).where(lists.c.id == bindparam("row")).values(version=bindparam("offset"))
_END = insert(endings)
_REOPEN = delete(endings).where(endings.c.book == bindparam("row"), endings.c.reading == bindparam("number"))


def _created(event: events.ListCreated, recorded: Recorded) -> Iterable[Change]:
    yield (
        _CREATE,
        {
            "id": recorded.subject,
            "owner": event.owner or "",
            "name": event.name,
            "name_key": name_key(event.name) or "",
            "removed": False,
            "version": recorded.offset,
        },
    )


def _renamed(event: events.ListRenamed, recorded: Recorded) -> Iterable[Change]:
    named = {"text": event.name, "key": name_key(event.name) or ""}
    yield _RENAME, {**named, "row": recorded.subject, "offset": recorded.offset}


def _removed(event: Event, recorded: Recorded) -> Iterable[Change]:
    gone = isinstance(event, events.ListRemoved)
    yield _SHOW, {"gone": gone, "row": recorded.subject, "offset": recorded.offset}


def _touching(handle: Handler) -> Handler:
    """Return the handler of an entry's event that also sets the version of the list."""

    def handler(event: Any, recorded: Recorded) -> Iterable[Change]:  # noqa: ANN401 (one event's)
        yield from handle(event, recorded)
        yield _TOUCH, {"row": recorded.subject, "offset": recorded.offset}

    return handler


_BOOK_HANDLERS = BookRows(books, _READINGS).handlers


def _ended(event: events.ReadingFinished | events.ReadingAbandoned, recorded: Recorded) -> Iterable[Change]:
    yield from _BOOK_HANDLERS[type(event)](event, recorded)
    day = event.finished if isinstance(event, events.ReadingFinished) else event.on
    yield _REOPEN, {"row": recorded.subject, "number": event.reading}
    if day is None:
        row = {"book": recorded.subject, "reading": event.reading}
        yield _END, {**row, "recorded": recorded.time.isoformat()}


_OF_ENTRIES = (
    events.ListEntryAdded,
    events.ListEntryMoved,
    events.ListEntryRemoved,
    events.ListReordered,
)
HANDLERS: Mapping[type[Any], Handler] = {
    **_BOOK_HANDLERS,
    events.ReadingFinished: _ended,
    events.ReadingAbandoned: _ended,
    events.ListCreated: _created,
    events.ListRenamed: _renamed,
    events.ListRemoved: _removed,
    events.ListRestored: _removed,
    **{kind: _touching(_ENTRIES.handlers[kind]) for kind in _OF_ENTRIES},
}
VIEW = View(name="lists", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True)


class ListSummary(msgspec.Struct, frozen=True):
    """A list and the number of its books."""

    id: ListId
    name: Annotated[str, Meta(description="its name; empty for up-next", examples=["Holidays"])]
    count: Annotated[int, Meta(description="how many books are shown on it", examples=[3])]


class ListedBook(msgspec.Struct, frozen=True):
    """An entry of a list: the book, and when it was put there."""

    added: Annotated[str, Meta(examples=["2026-01-31T12:00:00+00:00"])]
    book: Book


class ListWithBooks(msgspec.Struct, frozen=True):
    """A list with a page of its entries, in its order."""

    id: ListId
    name: Annotated[str, Meta(description="its name; empty for up-next", examples=["Holidays"])]
    entries: list[ListedBook]


class ListsQuery(Owned, forbid_unknown_fields=True):
    """How many lists, and from where on."""

    limit: Limit = 1000
    after: After | None = None


class ListQuery(Owned, forbid_unknown_fields=True, kw_only=True):
    """Which list, how many of its entries, and from where on."""

    id: ListId
    limit: Limit = 1000
    after: After | None = None
    all: Annotated[
        bool, Meta(description="true: up-next also shows books that are being read or were read since")
    ] = False


def _in_waiting() -> ColumnElement[bool]:
    """Return the condition that a book has neither an open reading nor one that ended after it was added."""
    reading, ending = _READINGS.readings.c, endings.c
    since = func.substr(entries.c.added, 1, func.length(reading.ended)) <= reading.ended
    of_reading = (ending.book == reading.book, ending.reading == reading.reading)
    unknown = and_(reading.ended.is_(None), exists().where(*of_reading, ending.recorded >= entries.c.added))
    ended = and_(reading.end != "open", or_(since, unknown))
    here = (reading.book == entries.c.book, reading.removed == false())
    return ~exists().where(*here, or_(reading.end == "open", ended))


def _shown_entries(owner: str, key: ColumnElement[Any] | str, *, waiting: bool) -> Select[Any]:
    joined = entries.join(books, books.c.id == entries.c.book)
    query = select(entries.c.book).select_from(joined)
    query = query.where(entries.c.list == key, *on_shelf(books, owner))
    return query.where(_in_waiting()) if waiting else query


def all_lists(db: Any, asked: ListsQuery) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return a page of the owner's lists by name. `up-next` is the first. Raises `Invalid`."""
    owner, key = asked.owner or "", list_key(UP_NEXT, asked.owner)
    of_list = _shown_entries(owner, lists.c.id, waiting=False).with_only_columns(func.count())
    count = of_list.correlate(lists).scalar_subquery()
    query = select(lists.c.id, lists.c.name, count.label("books")).where(
        lists.c.owner == owner, lists.c.removed == false(), lists.c.id != key
    )
    page = list_page(
        db,
        query,
        lists.c.id,
        order="name",
        sort=Sort((lists.c.name_key,), (str,)),
        limit=asked.limit,
        render=lambda row: ListSummary(row.id, row.name, row.books),
        after=asked.after,
    )
    up_next = ListSummary(UP_NEXT, "", count_rows(db, _shown_entries(owner, key, waiting=True)))
    return Answer([*([] if asked.after else [up_next]), *page.items], after=page.after)


def one_list(db: Any, asked: ListQuery) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return a list and a page of its entries. Its version is the one for If-Match. Raises `NotFound`."""
    owner, key = asked.owner or "", list_key(asked.id, asked.owner)
    row = db.execute(select(lists).where(lists.c.id == key, lists.c.removed == false())).first()
    if (row is None and asked.id != UP_NEXT) or (row is not None and row.owner != owner):
        raise NotFound("there is no such list")
    query = _shown_entries(owner, key, waiting=asked.id == UP_NEXT and not asked.all)
    page = list_page(
        db,
        query.with_only_columns(*shown_columns(books), entries.c.added.label("entered")),
        entries.c.book,
        order=f"list {asked.id}",
        sort=Sort((entries.c.rank,), (str,)),
        limit=asked.limit,
        render=lambda row: ListedBook(row.entered, shown(row)),
        after=asked.after,
    )
    body = {"id": asked.id, "name": row.name if row else "", "entries": page.items}
    return Answer(
        body, version=str(row.version) if row else None, after=page.after, count=count_rows(db, query)
    )


QUERY_ROUTES = (
    QueryRoute(
        path="/lists",
        summary="The lists, by name; up-next is the first",
        view=VIEW,
        query=all_lists,
        params=ListsQuery,
        returns=list[ListSummary],
    ),
    QueryRoute(
        path="/lists/{id}",
        summary="A list, and its books in their order",
        view=VIEW,
        query=one_list,
        params=ListQuery,
        returns=ListWithBooks,
        counted=True,
    ),
)
