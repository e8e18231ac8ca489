"""Lists and exports by pages, in this process: moves are one event each, and files have the whole shelf."""

import io
import zipfile
from collections.abc import AsyncIterator

import pytest
from support.pages import Pages, ShelfApi
from support.shelf import Shelf

from bookshelf.shelf.pages.site import SITE


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as shelf:
        yield shelf


async def ranks(shelf: Shelf, name: str) -> list[str]:
    await shelf.caught_up()
    return [entry["book"]["title"] for entry in (await shelf.send("GET", f"/lists/{name}")).json["entries"]]


async def test_a_list_is_made_ordered_renamed_and_removed(shelf: Shelf) -> None:
    pages = Pages(SITE, ShelfApi(shelf))
    made = await pages.post("/lists", {"_key": "1", "name": "Holidays"})
    name = made.location.rpartition("/")[2]
    books = {title: (await shelf.add(title=title))["id"] for title in ("A", "B", "C")}
    for book in books.values():
        await shelf.send("PUT", f"/lists/{name}/books/{book}", {})
    assert await ranks(shelf, name) == ["A", "B", "C"]

    await pages.post(f"/lists/{name}/books/{books['C']}", {"_version": "1", "place": "1"})
    assert await ranks(shelf, name) == ["C", "A", "B"]
    await pages.post(f"/lists/{name}/books/{books['C']}", {"_version": "2", "place": "2"})
    assert await ranks(shelf, name) == ["A", "C", "B"]
    changes = (await shelf.send("GET", f"/changes?book={name}")).json
    events = [event["type"] for change in changes for event in change["events"]]
    assert events.count("shelf.list-entry-moved.v1") == 2  # one for each move
    assert len(events) == 6

    await pages.post(f"/lists/{name}/books/{books['A']}", {"_version": "3", "place": "0"})
    assert await ranks(shelf, name) == ["C", "B"]
    shown = await pages.submit(f"/lists/{name}", {"_version": "4", "name": "Winter"})
    assert "Winter" in shown.words
    gone = await pages.submit(f"/lists/{name}/remove", {"_version": "5"})
    assert "Winter" not in gone.words


async def test_names_of_lists_that_differ_only_in_case_are_one_list(shelf: Shelf) -> None:
    pages = Pages(SITE, ShelfApi(shelf))
    made = await pages.post("/lists", {"_key": "1", "name": "Favorites"})
    await shelf.caught_up()
    assert (await pages.post("/lists", {"_key": "2", "name": "favorites"})).location == made.location
    assert (await pages.post("/lists", {"_key": "3", "name": "Up Next"})).location == "/up-next"
    book = (await shelf.add(title="Dune"))["id"]
    await shelf.caught_up()
    await pages.post(f"/books/{book}/lists", {"_version": "1", "name": "FAVORITES"})
    assert await ranks(shelf, made.location.rpartition("/")[2]) == ["Dune"]


async def test_exports_have_the_whole_shelf(shelf: Shelf) -> None:
    pages = Pages(SITE, ShelfApi(shelf))
    await shelf.add(title="三体")
    await shelf.caught_up()
    assert "三体" in (await pages.get("/export/bookshelf.csv")).html
    lines = await pages.get("/export/bookshelf.jsonl")
    assert "三体" in lines.html
    assert lines.headers["Content-Disposition"].endswith(".jsonl")
    assert (await pages.get("/export/bookshelf.exe")).status == 404


async def test_the_archive_has_the_lines_and_the_covers(shelf: Shelf) -> None:
    pages = Pages(SITE, ShelfApi(shelf))
    await shelf.add(title="Dune")
    await shelf.caught_up()
    with zipfile.ZipFile(io.BytesIO(await pages.download("/export/bookshelf.zip"))) as archive:
        assert archive.namelist() == ["bookshelf.jsonl"]
        assert b"Dune" in archive.read("bookshelf.jsonl")


async def test_a_place_that_is_no_number_is_asked_for_again(shelf: Shelf) -> None:
    pages = Pages(SITE, ShelfApi(shelf))
    book = (await shelf.add(title="Dune"))["id"]
    await shelf.send("PUT", f"/lists/up-next/books/{book}", {})
    await shelf.caught_up()
    page = await pages.post(f"/lists/up-next/books/{book}", {"_version": "1", "place": "abc"})
    assert page.status == 422
    assert "Place: Write a number from 0 to 100000." in page.words
    assert "The list has one book." in page.words
    assert page.value("place") == "abc"
    assert (await pages.get(f"/lists/up-next/books/{book}")).location == "/up-next"


async def test_a_book_of_up_next_is_started_there(shelf: Shelf) -> None:
    pages = Pages(SITE, ShelfApi(shelf))
    book = (await shelf.add(title="Dune"))["id"]
    await shelf.send("PUT", f"/lists/up-next/books/{book}", {})
    await shelf.caught_up()
    page = await pages.get("/up-next")
    assert f'action="/books/{book}/start"' in page.html
    assert "Choose from your unread books" in page.words
    started = await pages.post(f"/books/{book}/start", {"_key": "k", "_back": "/up-next"})
    assert started.location == "/up-next"
