"""The lists that a book is on, over a real shelf."""

from collections.abc import AsyncIterator

import pytest
from support.pages import Pages
from support.shelf import Shelf

HERE = "/books/emma/lists"


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as shelf:
        await shelf.add(id="emma", title="Emma", author="Jane Austen")
        assert (await shelf.send("POST", "/lists", {"name": "Holidays", "id": "holidays"})).status == 201
        await shelf.caught_up()
        yield shelf


async def books_of(shelf: Shelf, name: str) -> list[str]:
    await shelf.caught_up()
    entries = (await shelf.send("GET", f"/lists/{name}")).json["entries"]
    return [entry["book"]["id"] for entry in entries]


async def test_a_book_is_put_on_lists_and_taken_off(shelf: Shelf, pages: Pages) -> None:
    page = await pages.submit(HERE, {"_key": "1", "lists": ["up-next", "holidays"]})
    assert "Saved the lists of the book." in page.words
    assert await books_of(shelf, "up-next") == await books_of(shelf, "holidays") == ["emma"]
    shown = await pages.get(HERE)
    assert shown.html.count(" checked") == 2
    await pages.submit(HERE, {"_key": "2", "lists": ["up-next"]})
    assert await books_of(shelf, "holidays") == []
    assert await books_of(shelf, "up-next") == ["emma"]


async def test_a_new_list_is_created_with_the_book(shelf: Shelf, pages: Pages) -> None:
    await pages.submit(HERE, {"_key": "1", "name": "By the sea"})
    await shelf.caught_up()
    lists = {one["name"]: one for one in (await shelf.send("GET", "/lists")).json}
    assert await books_of(shelf, lists["By the sea"]["id"]) == ["emma"]


async def test_lists_that_are_saved_as_they_are_change_nothing(shelf: Shelf, pages: Pages) -> None:
    page = await pages.submit(HERE, {"_key": "1"})
    assert page.status == 200
    await shelf.caught_up()
    assert len((await shelf.send("GET", "/changes")).json) == 2
