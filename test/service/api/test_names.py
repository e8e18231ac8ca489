"""Suggestions and the lists of authors, series and tags, over HTTP."""

from typing import Any

import pytest
from support.shelf import Shelf

BOOKS: list[dict[str, Any]] = [
    {
        "title": "Dune",
        "author": "Frank Herbert",
        "series": [{"name": "Dune Saga"}],
        "tags": ["dunes", "sand"],
    },
    {"title": "Dune Messiah", "author": "Frank Herbert", "series": [{"name": "Dune Saga"}], "tags": ["sand"]},
    {"title": "Emma", "author": "Jane Duncan", "tags": ["sand"]},
]


async def filled(shelf: Shelf) -> list[str]:
    ids = [(await shelf.add(**book))["id"] for book in BOOKS]
    await shelf.send("POST", f"/books/{ids[0]}/finished", {"rating": 4})
    await shelf.caught_up()
    return ids


async def test_titles_authors_series_and_tags_are_suggested(shelf: Shelf) -> None:
    ids = await filled(shelf)
    answer = await shelf.send("GET", "/books/suggest?q=du")
    assert answer.json == [
        {"kind": "title", "text": "Dune", "id": ids[0]},
        {"kind": "title", "text": "Dune Messiah", "id": ids[1]},
        {"kind": "author", "text": "Jane Duncan"},
        {"kind": "series", "text": "Dune Saga"},
        {"kind": "tag", "text": "dunes"},
    ]
    assert (await shelf.send("GET", "/books/suggest?q=%26")).json == []
    assert (await shelf.send("GET", "/books/suggest")).status == 422


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/authors", [("Frank Herbert", 2, 4.0, 2), ("Jane Duncan", 1, None, 1)]),
        ("/series", [("Dune Saga", 2, 4.0, 2)]),
        ("/tags", [("dunes", 1, 4.0, 1), ("sand", 3, 4.0, 3)]),
    ],
)
async def test_names_have_their_number_of_books_mean_stars_and_books(
    shelf: Shelf, target: str, expected: list[tuple[str, int, float | None, int]]
) -> None:
    await filled(shelf)
    answer = await shelf.send("GET", target)
    named = [(one["name"], one["count"], one["stars"], len(one["books"])) for one in answer.json]
    assert (named, answer.headers["Bookshelf-Count"]) == (expected, str(len(expected)))


async def test_names_are_paged(shelf: Shelf) -> None:
    await filled(shelf)
    first = await shelf.send("GET", "/tags?limit=1")
    rest = await shelf.send("GET", first.headers["Link"].removeprefix("<").removesuffix('>; rel="next"'))
    assert [one["name"] for one in (*first.json, *rest.json)] == ["dunes", "sand"]
    assert "Link" not in rest.headers


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["dunes", "sand", "war"]),
        ("sort=-count", ["sand", "dunes", "war"]),
        ("sort=-stars", ["dunes", "sand", "war"]),
        ("from=s", ["sand", "war"]),
        ("from=D%C3%BCnen", ["dunes", "sand", "war"]),
    ],
)
async def test_names_are_sorted_and_begin_at_a_letter(shelf: Shelf, query: str, expected: list[str]) -> None:
    await filled(shelf)
    await shelf.add(title="Peace", tags=["war"])
    await shelf.caught_up()
    found: list[str] = []
    target = f"/tags?{query}&limit=1".replace("?&", "?")
    while target:
        answer = await shelf.send("GET", target)
        assert answer.headers["Bookshelf-Count"] == "3"
        found += [one["name"] for one in answer.json]
        target = answer.headers.get("Link", "").removeprefix("<").removesuffix('>; rel="next"')
    assert found == expected


@pytest.mark.parametrize("query", ["sort=-count&from=s", "from=", "sort=size"])
async def test_a_sort_of_names_that_is_not_possible_is_refused(shelf: Shelf, query: str) -> None:
    assert (await shelf.send("GET", f"/tags?{query}")).status == 422


async def test_a_book_of_a_name_has_what_its_cover_shows(shelf: Shelf) -> None:
    cover = {"digest": "d" * 64, "width": 400, "height": 600, "colour": "#804020"}
    series = [{"name": "Dune Saga", "number": "1"}]
    dune = await shelf.add(title="Dune", series=series, language="en")
    await shelf.send("PUT", f"/books/{dune['id']}/cover", cover)
    await shelf.caught_up()
    (author,) = (await shelf.send("GET", "/authors")).json
    shown = {"title": "Dune", "author": "Frank Herbert", "language": "en", "series": series, "cover": cover}
    assert author["books"] == [{"id": dune["id"], **shown}]
