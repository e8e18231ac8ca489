"""The effort of a query with words grows with the number of books, not with its square."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from support.generated_logs import BEGAN, PARTITIONS, filled, hosts

from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.view.host import ViewHost
from bookshelf.shelf import book_list, facets, readings_view
from bookshelf.shelf.book_filters import Filters
from bookshelf.shelf.book_list import Listing
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


async def effort_with(books: int, name: str) -> int:
    """Return the effort of a query on a shelf with so many books, all of which have the word."""
    log = MemoryLog(PARTITIONS)
    titles = [(f"b{n}", BookAdded(title=f"Tale {n}", author=f"Tom {n}", added=BEGAN)) for n in range(books)]
    texts = [(f"b{n}", PassageAdded(passage=1, quote=f"tell {n}")) for n in range(books)]
    await filled(log, [*titles, *texts])
    view, query = QUERIES[name]
    storage = MemoryStorage()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        views = await stack.enter_async_context(hosts(log, storage))
        return await effort(views[view], query)


@pytest.mark.parametrize("name", QUERIES)
async def test_the_effort_grows_with_the_number_of_books(name: str) -> None:
    few, many = await effort_with(200, name), await effort_with(800, name)
    assert many < 8 * few
