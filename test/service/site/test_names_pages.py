"""The pages of authors, series and tags over a real shelf: all names, one with its books, renaming."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.pages import Pages, ShownPage
from support.shelf import Shelf

BOOKS: tuple[dict[str, Any], ...] = (
    {"id": "dune", "title": "Dune", "author": "Frank Herbert", "series": [{"name": "Dune", "number": "1"}]},
    {
        "id": "god",
        "title": "God Emperor",
        "author": "F. Herbert",
        "series": [{"name": "Dune", "number": "4"}],
    },
    {"id": "emma", "title": "Emma", "author": "Jane Austen", "tags": ["SF / Fantasy", "classic"]},
)


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as running:
        for book in BOOKS:
            await running.add(**book)
        await running.send("PUT", "/books/dune/rating", {"stars": 4.5})
        await running.caught_up()
        yield running


def names(page: ShownPage) -> list[str]:
    assert page.status == 200, page.words
    return re.findall(r'<h2><a [^>]*translate="no">([^<]*)</a></h2>', page.html)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/authors", ["F. Herbert", "Frank Herbert", "Jane Austen"]),
        ("/authors?sort=-stars", ["Frank Herbert", "F. Herbert", "Jane Austen"]),
        ("/authors?from=g", ["Jane Austen"]),
        ("/series", ["Dune"]),
        ("/tags", ["classic", "SF / Fantasy"]),
    ],
)
async def test_the_names_of_a_kind_are_listed(pages: Pages, target: str, expected: list[str]) -> None:
    assert names(await pages.get(target)) == expected


async def test_a_name_has_its_number_of_books_mean_stars_and_covers(pages: Pages) -> None:
    page = await pages.get("/series")
    assert "Dune 2 books · ★★★★½" in page.words
    assert page.html.count('<span class="cover ') == 2


async def test_a_name_with_a_slash_has_a_page(pages: Pages) -> None:
    page = await pages.get("/tags")
    (address,) = re.findall(r'href="(/tags/SF[^"]*)"', page.html)
    assert "Emma" in (await pages.get(address)).words
    book = await pages.get("/books/emma")
    assert f'href="{address}"' in book.html


async def test_a_series_is_shown_by_number_with_its_gaps(pages: Pages, shelf: Shelf) -> None:
    await shelf.add(title="Sandworms", series=[{"name": "Dune", "number": "10"}])
    await shelf.add(title="Messiah", series=[{"name": "Dune", "number": "2"}])
    await shelf.caught_up()
    words = (await pages.get("/series/Dune")).words
    order = [
        words.index(text) for text in ("No. 1", "No. 2", "3 is missing", "No. 4", "5 to 9 are", "No. 10")
    ]
    assert order == sorted(order)


async def test_a_name_that_no_book_has_is_not_found_and_offers_a_search(pages: Pages) -> None:
    page = await pages.get("/authors/Nobody")
    assert page.status == 404
    assert 'href="/books?q=Nobody"' in page.html


async def rename(pages: Pages, shelf: Shelf, address: str, name: str) -> ShownPage:
    page = await pages.submit(address, {"_key": "k1", "name": name})
    await shelf.caught_up()
    return page


async def fields(shelf: Shelf, name: str) -> dict[str, Any]:
    await shelf.caught_up()
    found = await shelf.send("GET", f"/books/{name}")
    return {
        key: value for key, value in found.json.items() if key in {"author", "contributors", "series", "tags"}
    }


async def test_a_name_is_joined_with_another_and_one_undo_takes_it_back(pages: Pages, shelf: Shelf) -> None:
    before = [await fields(shelf, name) for name in ("dune", "god", "emma")]
    page = await rename(pages, shelf, "/authors/F.%20Herbert", "Frank Herbert")
    assert "Changed the name in all its books." in page.words
    assert "2 books" in page.words
    assert (await fields(shelf, "god"))["author"] == "Frank Herbert"
    correlation = page.value("correlation")
    undone = await pages.submit("/changes", {"correlation": correlation, "_key": correlation})
    assert "Taken back." in undone.words
    assert [await fields(shelf, name) for name in ("dune", "god", "emma")] == before


async def test_a_series_and_a_tag_are_renamed_in_place(pages: Pages, shelf: Shelf) -> None:
    await rename(pages, shelf, "/series/Dune", "Dune Chronicles")
    assert (await fields(shelf, "god"))["series"] == [{"name": "Dune Chronicles", "number": "4"}]
    await rename(pages, shelf, "/tags/SF%20%2F%20Fantasy", "classic")
    assert (await fields(shelf, "emma"))["tags"] == ["classic"]


@pytest.mark.parametrize("name", ["", "x" * 1001])
async def test_a_name_that_is_not_possible_is_refused_and_kept(pages: Pages, name: str) -> None:
    answer = await pages.post("/authors/Jane%20Austen", {"_key": "k", "name": name})
    assert answer.status == 422
    assert "This was not saved" in answer.words
