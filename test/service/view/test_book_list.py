"""The filters, the sorts, the counts, the facets and the names of the list of books, on every storage."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from support.generated_logs import BEGAN, PARTITIONS, asked, filled, hosts

from bookshelf.cqrs.message import Event
from bookshelf.cqrs.route import QueryRoute
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.view.host import ViewHost
from bookshelf.shelf import book_list
from bookshelf.shelf.book_filters import Filters
from bookshelf.shelf.book_list import AskedBook, Listing
from bookshelf.shelf.events import (
    BookAdded,
    BookChanged,
    BookFinished,
    BookRemoved,
    CoverSet,
    ListCreated,
    ListEntryAdded,
    ListEntryMoved,
    ListEntryRemoved,
    ListRemoved,
    ReadingProgressed,
    ReadingStarted,
)
from bookshelf.shelf.facets import NameListing, SuggestionQuery
from bookshelf.shelf.history import OneBook
from bookshelf.shelf.values import Contributor, ReadingProgress, SeriesEntry
from bookshelf.storage.port import Storage

ROUTES = {route.path: route for route in book_list.ROUTES}


def book(title: str, minutes: int, **fields: Any) -> BookAdded:  # noqa: ANN401 (the fields of a book)
    return BookAdded(
        title=title, added=BEGAN + timedelta(minutes=minutes), **{"author": "Nora Lind", **fields}
    )


HERBERT = Contributor("Frank Herbert", sort="Herbert, Frank")
DUNE = {"author": "Frank Herbert", "contributors": (HERBERT,), "published": "1965", "language": "en"}
HISTORY: tuple[tuple[str, Event], ...] = (
    ("dune", book("Dune", 1, **DUNE, tags=("sf", "desert"), series=(SeriesEntry("Dune", "1"),), pages=412)),
    ("messiah", book("Dune Messiah", 2, **{**DUNE, "published": "1969"}, series=(SeriesEntry("Dune", "2"),))),
    (
        "odes",
        book("The River Odes", 3, published="c. 800 BC", tags=("verse",), format="ebook", isbn="0306406152"),
    ),
    ("lays", book("Winter Lays", 4, published="n.d.", tags=("verse", "sf"), notes="about a dune")),
    ("isbn", book("ISBN 9780306406157", 5, author="", language="de")),
    ("gone", book("Gone", 6)),
    ("hers", book("Her Own Dune", 7, owner="ann")),
    ("dune", BookFinished(finished=None, rating=5)),
    ("odes", ReadingStarted(reading=1)),
    ("odes", ReadingProgressed(reading=1, entry=1, progress=ReadingProgress(page=50, of=100))),
    ("messiah", ReadingStarted(reading=1)),
    ("messiah", ReadingProgressed(reading=1, entry=1, progress=ReadingProgress(percent=12.5))),
    ("lays", BookFinished(finished=(BEGAN - timedelta(days=400)).date(), rating=3, review="cold")),
    ("dune", CoverSet(digest="d" * 64, width=2, height=3, colour="#ffffff")),
    ("lays", BookChanged(language="fr")),
    ("gone", BookRemoved()),
    ("best", ListCreated(name="Best")),
    ("best", ListEntryAdded(book="dune", rank="m")),
    ("best", ListEntryAdded(book="odes", rank="a")),
    ("best", ListEntryAdded(book="lays", rank="z")),
    ("best", ListEntryMoved(book="odes", rank="x")),
    ("best", ListEntryRemoved(book="lays")),
    ("old", ListCreated(name="Old")),
    ("old", ListEntryAdded(book="dune", rank="m")),
    ("old", ListRemoved()),
)
ALL = ["dune", "messiah", "odes", "lays", "isbn"]


@pytest.fixture
async def books(storage: Storage) -> AsyncIterator[ViewHost]:
    log = MemoryLog(PARTITIONS)
    await filled(log, HISTORY)
    async with hosts(log, storage) as views:
        yield views["booklist"]


async def answered(host: ViewHost, route: QueryRoute, params: Any) -> Any:  # noqa: ANN401 (any answer)
    answer, _ = await asked(host, route, params)
    return msgspec.json.decode(answer) if answer[:1] in b"[{" else answer.decode()


async def ids(host: ViewHost, **params: Any) -> list[str]:  # noqa: ANN401 (Listing's fields)
    return [item["id"] for item in await answered(host, ROUTES["/books"], Listing(**params))]


async def test_each_filter_leaves_the_books_that_match(books: ViewHost) -> None:
    for params, expected in (
        ({}, ALL),
        ({"owner": "ann"}, ["hers"]),
        ({"removed": True}, ["gone"]),
        ({"state": ("finished",)}, ["dune", "lays"]),
        ({"state": ("reading", "unread")}, ["messiah", "odes", "isbn"]),
        ({"tag": ("sf",)}, ["dune", "lays"]),
        ({"tag": ("sf", "verse")}, ["lays"]),
        ({"author": "Frank Herbert"}, ["dune", "messiah"]),
        ({"series": "Dune"}, ["dune", "messiah"]),
        ({"format": "ebook"}, ["odes"]),
        ({"language": "fr"}, ["lays"]),
        ({"published": "1965"}, ["dune"]),
        ({"published": "1960-1969"}, ["dune", "messiah"]),
        ({"published": "-900--700"}, ["odes"]),
        ({"finished": "2025"}, ["lays"]),
        ({"finished": "2025-01"}, ["lays"]),
        ({"finished": "2025-02"}, []),
        ({"stars": "5"}, ["dune"]),
        ({"stars": "3-"}, ["dune", "lays"]),
        ({"among": "best"}, ["dune", "odes"]),
        ({"among": "old"}, []),
        ({"has": ("isbn",)}, ["odes"]),
        ({"has": ("cover",)}, ["dune"]),
        ({"has": ("tags", "review")}, ["lays"]),
        ({"missing": ("title",)}, ["isbn"]),
        ({"missing": ("author",)}, ["isbn"]),
        ({"missing": ("stars", "language")}, ["odes"]),
        ({"q": "dune"}, ["dune", "messiah", "lays"]),
        ({"q": "978-0-306-40615-7"}, ["odes", "isbn"]),
        ({"q": "herbert", "published": "1969"}, ["messiah"]),
        ({"q": "cold"}, ["lays"]),
    ):
        assert await ids(books, **params) == expected, params


async def test_each_sort_has_unknown_values_last_in_both_directions(books: ViewHost) -> None:
    for order, known, unknown in (
        ("title", ["dune", "messiah", "isbn", "odes", "lays"], []),
        ("author", ["dune", "messiah", "lays", "odes"], ["isbn"]),
        ("published", ["odes", "dune", "messiah"], ["isbn", "lays"]),
        ("finished", ["lays"], ["dune", "isbn", "messiah", "odes"]),
        ("stars", ["lays", "dune"], ["isbn", "messiah", "odes"]),
        ("pages", ["dune"], ["isbn", "lays", "messiah", "odes"]),
        ("progress", ["messiah", "odes"], ["dune", "isbn", "lays"]),
        ("series", ["dune", "messiah"], ["isbn", "lays", "odes"]),
    ):
        for limit in (1, 2, 100):
            assert await paged(books, sort=order, limit=limit) == known + unknown, order
            down = known[::-1] + unknown[::-1]
            assert await paged(books, sort=f"-{order}", limit=limit) == down, order


async def paged(host: ViewHost, **params: Any) -> list[str]:  # noqa: ANN401 (Listing's fields)
    found: list[str] = []
    after: str | None = None
    while True:
        answer, after = await asked(host, ROUTES["/books"], Listing(after=after, **params))
        found += [item["id"] for item in msgspec.json.decode(answer)]
        if after is None:
            return found


async def test_a_search_sorts_by_relevance_and_a_list_by_position(books: ViewHost) -> None:
    for limit in (1, 100):
        assert await paged(books, q="dune", sort="relevance", limit=limit) == ["dune", "messiah", "lays"]
        assert await paged(books, q="dune", sort="-relevance", limit=limit) == ["lays", "messiah", "dune"]
        assert await paged(books, among="best", sort="position", limit=limit) == ["dune", "odes"]
    assert await answered(books, ROUTES["/books"], Listing(sort="relevance")) == "Invalid"
    assert await answered(books, ROUTES["/books"], Listing(sort="position")) == "Invalid"


async def test_a_book_with_the_title_searched_for_comes_first_and_then_those_that_begin_with_it(
    storage: Storage,
) -> None:
    log = MemoryLog(PARTITIONS)
    titles = {
        "children": "Children of Dune",
        "messiah": "Dune Messiah",
        "dune": "Dune",
        "fire": "Catching Fire (The Hunger Games)",
        "games": "The Hunger Games",
    }
    tags = {"children": ("dune", "dunes"), "messiah": ("dune",), "fire": ("the hunger games",)}
    books = {
        book_id: BookAdded(title=title, author="", tags=tags.get(book_id, ()), added=BEGAN)
        for book_id, title in titles.items()
    }
    await filled(log, tuple(books.items()))
    async with hosts(log, storage) as views:
        host = views["booklist"]
        for limit in (1, 100):
            for query, expected in (
                ("dune", ["dune", "messiah", "children"]),
                ("hunger games", ["games", "fire"]),
                ("the hunger games", ["games", "fire"]),
            ):
                assert await paged(host, q=query, sort="relevance", limit=limit) == expected
                assert await paged(host, q=query, sort="-relevance", limit=limit) == expected[::-1]
        suggested = await answered(host, ROUTES["/books/suggest"], SuggestionQuery(q="dune"))
    assert [each["text"] for each in suggested if each["kind"] == "title"] == [
        "Dune",
        "Dune Messiah",
        "Children of Dune",
    ]


async def test_a_list_starts_at_a_key(books: ViewHost) -> None:
    assert await ids(books, sort="title", start="r") == ["odes", "lays"]
    assert await ids(books, sort="-title", start="r") == ["odes", "isbn", "messiah", "dune"]
    assert await ids(books, sort="-title", start="i") == ["isbn", "messiah", "dune"]
    assert await ids(books, sort="published", start="1966") == ["messiah"]
    refused = (Listing(sort="published", start="x"), Listing(sort="author", start=""))
    for listing in (*refused, Listing(sort="relevance", start="a", q="a")):
        assert await answered(books, ROUTES["/books"], listing) == "Invalid"


async def test_a_list_has_the_number_of_all_books_that_match(books: ViewHost) -> None:
    answer = await books.query(lambda db: book_list.listed(db, Listing(limit=1, tag=("sf",))))
    assert (len(answer.body), answer.count) == (1, 2)


async def test_a_book_of_somebody_else_or_a_removed_one_is_not_found(books: ViewHost) -> None:
    for book_id in ("hers", "gone"):
        assert await answered(books, ROUTES["/books/{id}"], AskedBook(id=book_id)) == "NotFound"
    now = AskedBook(id="hers", as_of=datetime.now(UTC))
    assert await answered(books, ROUTES["/books/{id}"], now) == "NotFound"
    for unknown in ("hers", "best"):
        assert await answered(books, ROUTES["/books/{id}/history"], OneBook(id=unknown)) == "NotFound"
    assert len(await answered(books, ROUTES["/books/{id}/history"], OneBook(id="gone"))) == 2
    found = await answered(books, ROUTES["/books/{id}"], AskedBook(id="hers", owner="ann"))
    assert found["title"] == "Her Own Dune"


async def test_facets_count_the_books_that_match_the_other_filters(books: ViewHost) -> None:
    facets = await answered(books, ROUTES["/books/facets"], Filters(state=("finished",)))
    counted = {name: {one["value"]: one["count"] for one in values} for name, values in facets.items()}
    assert counted["state"] == {"finished": 2, "reading": 2, "unread": 1}
    assert counted["tag"] == {"sf": 2, "desert": 1, "verse": 1}
    assert counted["author"] == {"Frank Herbert": 1, "Nora Lind": 1}
    assert counted["published"] == {"1965": 1}
    assert counted["finished"] == {"2025": 1}
    assert counted["stars"] == {"3": 1, "5": 1}


async def test_suggestions_are_titles_authors_series_and_tags(books: ViewHost) -> None:
    for query, expected in (
        ("du", ["title: Dune", "title: Dune Messiah", "series: Dune"]),
        ("frank her", ["author: Frank Herbert"]),
        ("des", ["tag: desert"]),
        ("&", []),
    ):
        suggestions = await answered(books, ROUTES["/books/suggest"], SuggestionQuery(q=query))
        assert [f"{one['kind']}: {one['text']}" for one in suggestions] == expected


async def test_names_have_a_count_mean_stars_and_books(books: ViewHost) -> None:
    authors = await answered(books, ROUTES["/authors"], NameListing())
    assert [(one["name"], one["count"], one["stars"]) for one in authors] == [
        ("Frank Herbert", 2, 5.0),
        ("Nora Lind", 2, 3.0),
    ]
    assert [one["id"] for one in authors[0]["books"]] == ["messiah", "dune"]
    assert authors[0]["books"][1]["cover"]["digest"] == "d" * 64
    first, after = await asked(books, ROUTES["/tags"], NameListing(limit=2))
    rest, end = await asked(books, ROUTES["/tags"], NameListing(limit=2, after=after))
    assert [one["name"] for page in (first, rest) for one in msgspec.json.decode(page)] == [
        *("desert", "sf", "verse"),
    ]
    assert end is None


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ({"sort": "-count"}, ["sf", "verse", "desert"]),
        ({"sort": "-stars"}, ["desert", "sf", "verse"]),
        ({"start": "se"}, ["sf", "verse"]),
    ],
)
async def test_names_are_sorted_a_page_at_a_time(
    books: ViewHost, listing: dict[str, Any], expected: list[str]
) -> None:
    found: list[str] = []
    after: str | None = None
    while after is not None or not found:
        page, after = await asked(books, ROUTES["/tags"], NameListing(limit=1, after=after, **listing))
        found += [one["name"] for one in msgspec.json.decode(page)]
    assert found == expected
