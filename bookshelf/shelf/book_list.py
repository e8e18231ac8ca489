"""The service booklist: lists and searches the books, and shows one with its history."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta
from sqlalchemy import ColumnElement, bindparam, false, func, select

from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.route import Answer, Owned, QueryRoute
from bookshelf.shelf import facets, field_types
from bookshelf.shelf.book_filters import Filters, best_first, conditions
from bookshelf.shelf.book_tables import BOOK_LIST, ENTRIES, HISTORY, books
from bookshelf.shelf.fields import Book
from bookshelf.shelf.history import Happened, OneBook
from bookshelf.shelf.rows import shown, shown_columns
from bookshelf.shelf.search_text import query_terms
from bookshelf.shelf.sort_keys import name_key, title_keys
from bookshelf.storage.paging import After, Key, Limit, Sort, list_page

VIEW = BOOK_LIST

_SHOWN = shown_columns(books)
_THEIRS = (books.c.owner == bindparam("owner"), books.c.removed == false())
_ONE = select(*_SHOWN).where(books.c.id == bindparam("id"), *_THEIRS)

Order = Literal[
    "added",
    "-added",
    "title",
    "-title",
    "author",
    "-author",
    "published",
    "-published",
    "finished",
    "-finished",
    "stars",
    "-stars",
    "pages",
    "-pages",
    "progress",
    "-progress",
    "series",
    "-series",
    "relevance",
    "-relevance",
    "position",
    "-position",
]


class Listing(Filters, forbid_unknown_fields=True, kw_only=True, rename={"among": "list", "start": "from"}):
    """Which books, in which order, how many, from where on."""

    limit: Limit = 1000
    after: After | None = None
    sort: Annotated[
        Order,
        Meta(
            description="what to sort by; a minus sorts downwards. Books without the value come last. "
            "`relevance` needs q, `position` needs list"
        ),
    ] = "added"
    start: (
        Annotated[
            str,
            Meta(
                max_length=200,
                description="the first title, name, number or date of the list, in its order",
                examples=["m"],
            ),
        ]
        | None
    ) = None


class AskedBook(Owned, forbid_unknown_fields=True, kw_only=True, rename={"as_of": "as-of"}):
    """Which book, and maybe as it was when: a time with its offset, like 2026-01-31T12:00:00Z."""

    id: field_types.BookId
    as_of: field_types.Moment | None = None


def _plain_text(text: str) -> str:
    return text


_SORTS: Mapping[str, Sort] = {
    "added": Sort((books.c.added,), (str,), start=_plain_text),
    "title": Sort((books.c.title_key,), (str,), start=lambda text: title_keys(text).full),
    "author": Sort((books.c.author_key,), (str,), nullable=True, start=name_key),
    "published": Sort((books.c.year, books.c.published), (int, str), nullable=True, start=int),
    "finished": Sort((books.c.finished,), (str,), nullable=True, start=_plain_text),
    "stars": Sort((books.c.stars,), (float,), nullable=True, start=float),
    "pages": Sort((books.c.pages,), (int,), nullable=True, start=int),
    "progress": Sort((books.c.progress_rank,), (float,), nullable=True, start=float),
    "series": Sort((books.c.series_key,), (str,), nullable=True, start=name_key),
}


def listed(db: Any, asked: Listing) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return a page of books, and how many there are. Raises `Invalid`."""
    sort = _sort(db, asked)
    matching = conditions(db, asked)
    count = db.scalar(select(func.count()).select_from(books).where(*matching))
    query = select(*_SHOWN).where(*matching, *_started(asked, sort))
    page = list_page(
        db,
        query,
        books.c.id,
        order=asked.sort,
        sort=sort,
        limit=asked.limit,
        render=shown,
        after=asked.after,
    )
    return Answer(page.items, after=page.after, count=count)


def _sort(db: Any, asked: Listing) -> Sort:  # noqa: ANN401 (see above)
    match asked.sort.lstrip("-"):
        case "relevance":
            if not query_terms(asked.q or ""):
                raise Invalid("needs words to search for, in q", field="sort")
            return Sort(best_first(db, asked.q or ""), (int, int, str))
        case "position":
            if asked.among is None:
                raise Invalid("needs a list, in list", field="sort")
            entry = ENTRIES.table.c
            rank = select(entry.rank).where(entry.list == asked.among, entry.book == books.c.id)
            return Sort((rank.scalar_subquery(),), (str,))
        case name:
            return _SORTS[name]


def _started(asked: Listing, sort: Sort) -> list[ColumnElement[bool]]:
    """Return the condition that the list starts at a key. Raises `Invalid`."""
    if asked.start is None:
        return []
    key: Key | None = None
    if sort.start is not None:
        try:
            key = sort.start(asked.start)
        except ValueError:
            raise Invalid("is a number in this sort", field="from") from None
    if key is None:
        raise Invalid("is not possible in this sort, or is blank", field="from")
    first = sort.columns[0]
    if not asked.sort.startswith("-"):
        return [first >= key]
    return [first < f"{key}\U0010ffff" if isinstance(key, str) else first <= key]


def one(db: Any, asked: AskedBook) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return one book, now or at a given time. Its version is the one for If-Match. Raises `NotFound`."""
    if asked.as_of is not None:
        return Answer(HISTORY.as_of(db, asked.id, asked.as_of, asked.owner))
    row = db.execute(_ONE, {"id": asked.id, "owner": asked.owner or ""}).first()
    if row is None:
        raise NotFound("there is no such book on the shelf")
    return Answer(shown(row), version=str(row.version))


def history(db: Any, asked: OneBook) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return a page of what has happened to a book, removed or not. Raises `NotFound`, `Invalid`."""
    owner = db.scalar(select(books.c.owner).where(books.c.id == asked.id))
    if owner != (asked.owner or ""):
        raise NotFound("there never was such a book on the shelf")
    return HISTORY.history(db, asked)


ROUTES = (
    QueryRoute(
        path="/books",
        summary="The books of the shelf",
        view=VIEW,
        query=listed,
        params=Listing,
        returns=list[Book],
        counted=True,
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
        query=history,
        params=OneBook,
        returns=list[Happened],
    ),
    *facets.ROUTES,
)
