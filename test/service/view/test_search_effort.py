"""The effort of a query with words grows with the number of books, not with its square.

If few books fit, it does not grow with the number of the others.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import func, select
from support.generated_logs import BEGAN, PARTITIONS, filled, hosts

from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.view.host import ViewHost
from bookshelf.shelf import book_list, facets, readings_view
from bookshelf.shelf.book_filters import Filters, conditions
from bookshelf.shelf.book_list import Listing
from bookshelf.shelf.book_tables import books
from bookshelf.shelf.events import BookAdded, PassageAdded
from bookshelf.storage.sqlite import MemoryStorage

#: Instructions of SQLite's machine between two calls of the counter.
_EACH = 50
Query = Callable[[Any], object]
QUERIES: dict[str, tuple[str, Query]] = {
    "list": ("booklist", lambda db: book_list.listed(db, Listing(q="t", limit=10))),
    "relevance": (
        "booklist",
        lambda db: book_list.listed(db, Listing(q="t", sort="relevance", limit=10)),
    ),
    "facets": ("booklist", lambda db: facets.count_facets(db, Filters(q="t"))),
    "suggest": ("booklist", lambda db: facets.suggest(db, facets.SuggestionQuery(q="t"))),
    "names": ("booklist", lambda db: facets.list_names(db, facets.NameListing(limit=10), "author")),
    "passages": (
        "readings",
        lambda db: readings_view.all_passages(db, readings_view.AllPassages(q="t", limit=10)),
    ),
}


RARE: dict[str, Query] = {
    "word": lambda db: book_list.listed(db, Listing(q="zebra", limit=10)),
    "word, by relevance": lambda db: book_list.listed(db, Listing(q="zebra", sort="relevance", limit=10)),
    "no book": lambda db: book_list.listed(db, Listing(q="quagga", limit=10)),
}
COUNTED: dict[str, Query] = {
    "author": lambda db: _counted(db, Filters(author="Zoe Zimmer")),
    "tag": lambda db: _counted(db, Filters(tag=("stripes",))),
    "list": lambda db: _counted(db, Filters(among="none")),
}


def _counted(db: Any, asked: Filters) -> None:  # noqa: ANN401 (the storage's connection)
    query = select(func.count()).select_from(books).where(*conditions(db, asked))
    assert db.scalar(query) == (asked.among is None)


async def effort(view: ViewHost, query: Query) -> int:
    """Return how many times SQLite ran a number of instructions for a query."""
    calls = 0

    def count() -> int:
        nonlocal calls
        calls += 1
        return 0

    def counted(db: Any) -> None:  # noqa: ANN401 (the storage's connection)
        raw = db.connection.driver_connection
        raw.set_progress_handler(count, _EACH)
        try:
            query(db)
        finally:
            raw.set_progress_handler(None, 0)

    await view.query(counted)
    return calls


async def effort_with(count: int, view: str, query: Query) -> int:
    """Return the effort of a query on a shelf with so many books that have one word, and one with another."""
    log = MemoryLog(PARTITIONS)
    titles = [(f"b{n}", BookAdded(title=f"Tale {n}", author=f"Tom {n}", added=BEGAN)) for n in range(count)]
    texts = [(f"b{n}", PassageAdded(passage=1, quote=f"tell {n}")) for n in range(count)]
    other = BookAdded(title="Zebra", author="Zoe Zimmer", tags=("stripes",), added=BEGAN)
    await filled(log, [*titles, *texts, ("other", other)])
    storage = MemoryStorage()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        views = await stack.enter_async_context(hosts(log, storage))
        return await effort(views[view], query)


@pytest.mark.parametrize("name", QUERIES)
async def test_the_effort_grows_with_the_number_of_books(name: str) -> None:
    few, many = await effort_with(200, *QUERIES[name]), await effort_with(800, *QUERIES[name])
    assert many < 8 * few


@pytest.mark.parametrize("name", [*RARE, *COUNTED])
async def test_the_effort_for_few_books_does_not_grow_with_the_number_of_the_others(name: str) -> None:
    query = {**RARE, **COUNTED}[name]
    few, many = await effort_with(200, "booklist", query), await effort_with(800, "booklist", query)
    assert many < 2 * few
