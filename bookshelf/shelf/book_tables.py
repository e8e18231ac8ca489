"""The tables of the view `booklist`, and the handlers that keep them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Index, MetaData, and_, false, func

from bookshelf.cqrs.message import Event
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.shelf.book_keys import TOKEN_COLUMNS, compute, key_columns
from bookshelf.shelf.events import EVENTS, TOPIC, BookAdded, BookChanged
from bookshelf.shelf.history import History, history_table
from bookshelf.shelf.name_rows import EntryRows, NameRows
from bookshelf.shelf.passage_rows import PassageRows, joined_words
from bookshelf.shelf.reading_rows import ReadingRows
from bookshelf.shelf.rows import BookRows, book_table
from bookshelf.storage.fulltext import TokenIndex

TABLES = MetaData()
books = book_table("booklist_book", TABLES, *key_columns())
Index("booklist_by_added", books.c.owner, books.c.removed, books.c.added, books.c.id)
Index("booklist_by_title", books.c.owner, books.c.removed, books.c.title_key, books.c.id)
Index("booklist_by_id", books.c.owner, books.c.removed, books.c.id)  # for those without the value of a sort
for _sort, _keys in {
    "author": (books.c.author_key,),
    "series": (books.c.series_key,),
    "published": (books.c.year, books.c.published),
    "finished": (books.c.finished,),
    "stars": (books.c.stars,),
    "pages": (books.c.pages,),
    "progress": (books.c.progress_rank,),
}.items():
    # books without the value are not in the index: most have no stars, series or progress
    _known = _keys[0].is_not(None)
    _columns = (books.c.owner, books.c.removed, *_keys, books.c.id)
    Index(f"booklist_by_{_sort}", *_columns, sqlite_where=_known, postgresql_where=_known)
INDEX = TokenIndex(books, TOKEN_COLUMNS)
READINGS = ReadingRows("booklist", TABLES, books, indexed=True)
NAMES = NameRows("booklist_name", TABLES)
ENTRIES = EntryRows("booklist_entry", TABLES)
PASSAGES = PassageRows("booklist_passage", TABLES, books)
HISTORY = History(history_table(TABLES))


def _review_words() -> ColumnElement[Any]:
    reading = READINGS.readings.c
    of_readings = joined_words(reading.words, and_(reading.book == books.c.id, reading.removed == false()))
    own = func.coalesce(books.c.own_words, "")
    # null as before if there are none: then the index is not written
    return func.nullif(func.trim(func.coalesce(of_readings, "") + " " + own), "")


def _all(*handlers: Callable[[Any, Recorded], Iterable[Change]]) -> Handler:
    def handle(event: Event, recorded: Recorded) -> Iterable[Change]:
        for handler in handlers:
            yield from handler(event, recorded)

    return handle


_BOOKS: Mapping[type[Any], Handler] = {
    **BookRows(books, READINGS, compute, {"review_words": _review_words()}).handlers,
    **PASSAGES.handlers,
    **ENTRIES.handlers,
}
_NAMES: Mapping[type[Any], Handler] = {BookAdded: NAMES.added, BookChanged: NAMES.changed}
HANDLERS: Mapping[type[Event], Handler] = {
    kind: _all(handler, *([_NAMES[kind]] if kind in _NAMES else []), HISTORY.record)
    for kind, handler in _BOOKS.items()
}
BOOK_LIST = View(
    name="booklist",
    topic=TOPIC,
    catalogue=EVENTS,
    tables=TABLES,
    handlers=HANDLERS,
    keyed=True,
    opens=True,
    version=5,
)
