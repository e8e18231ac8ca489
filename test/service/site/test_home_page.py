"""The home page over a real shelf: empty, with the samples, while books are being read."""

import re
from typing import Any

from support.pages import Pages, ScriptedApi, ShownPage
from support.shelf import Shelf

from bookshelf.shelf.pages.samples import SAMPLES
from bookshelf.shelf.pages.site import SITE


async def do_with_samples(pages: Pages, shelf: Shelf, step: str, key: str) -> ShownPage:
    """Send the form of the sample books, and follow its redirect once the views have what it did."""
    answer = await pages.post("/", {"samples": step, "_key": key})
    assert answer.status == 303, answer.words
    await shelf.caught_up()
    return await pages.get(answer.location)


async def count(shelf: Shelf) -> int:
    await shelf.caught_up()
    return int((await shelf.send("GET", "/books?limit=1")).headers["Bookshelf-Count"])


async def test_an_empty_shelf_offers_three_ways_to_begin(pages: Pages) -> None:
    page = await pages.get("/")
    assert page.status == 200
    assert "Your shelf is empty." in page.words
    assert 'href="/import"' in page.html
    assert 'href="/books/add"' in page.html
    assert "Try twelve sample books" in page.words


async def test_twelve_samples_come_with_one_click_and_go_with_another(pages: Pages, shelf: Shelf) -> None:
    page = await do_with_samples(pages, shelf, "add", "k1")
    assert "Twelve sample books are on your shelf." in page.words
    assert "Two books are open." in page.words
    assert "page 262 of 635" in page.words
    assert "4 books, in your order" in page.words
    assert 'name="correlation" value="k1"' in page.html
    assert await count(shelf) == len(SAMPLES) == 12
    gone = await do_with_samples(pages, shelf, "remove", "k2")
    assert "Your shelf is empty." in gone.words
    assert await count(shelf) == 0


async def test_samples_that_were_removed_come_back_as_they_were(pages: Pages, shelf: Shelf) -> None:
    await do_with_samples(pages, shelf, "add", "k1")
    await do_with_samples(pages, shelf, "remove", "k2")
    page = await do_with_samples(pages, shelf, "add", "k3")
    assert await count(shelf) == 12
    readings = (await shelf.send("GET", "/books/sample-alice/readings")).json
    assert len(readings) == 1
    assert "Two books are open." in page.words


async def test_removing_the_samples_keeps_a_book_with_the_same_tag(pages: Pages, shelf: Shelf) -> None:
    await do_with_samples(pages, shelf, "add", "k1")
    await shelf.add(title="Mine", tags=["sample"])
    await do_with_samples(pages, shelf, "remove", "k2")
    assert await count(shelf) == 1


async def test_the_book_read_last_is_the_first(pages: Pages, shelf: Shelf) -> None:
    days = {"early": "2026-01-02", "late": "2026-01-20"}
    for name, day in days.items():
        await shelf.add(id=name, title=f"The {name} book", pages=400)
        await shelf.send("POST", f"/books/{name}/readings", {"started": "2026-01-01"})
        progress = {"on": day, "progress": {"page": 100}}
        await shelf.send("POST", f"/books/{name}/readings/current/progress", progress)
    await shelf.caught_up()
    page = await pages.get("/")
    assert page.words.index("The late book") < page.words.index("The early book")
    assert "page 100 of 400 25" in page.words
    assert re.search(r'action="/books/late/progress"', page.html)


async def test_a_part_that_cannot_be_read_leaves_the_rest_of_the_page() -> None:
    api = ScriptedApi()
    api.answer("GET", "/books", 200, [], Bookshelf_Count="3")
    page = await Pages(SITE, api).get("/")
    assert page.status == 200
    assert "The numbers of this year cannot be read right now." in page.words
    assert "Your shelf is empty." not in page.words


def _numbers() -> dict[str, Any]:
    counts = {"readings": 3, "titles": 3, "pages": 900}
    return {**counts, "goal": {"books": 3}}


async def test_a_goal_that_is_reached_is_named() -> None:
    api = ScriptedApi()
    api.answer("GET", "/books", 200, [], Bookshelf_Count="3")
    pages = Pages(SITE, api)
    for year in range(2020, 2035):
        api.answer("GET", f"/stats/{year}", 200, _numbers())
    page = await pages.get("/")
    assert "3 of 3 books this year" in page.words
    assert "You have reached your goal" in page.words
