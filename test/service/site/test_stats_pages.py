"""The numbers of the shelf and of a year, and the picture of a year, over a real shelf."""

from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import pytest
from support.pages import Pages, ShelfApi
from support.shelf import Shelf

from bookshelf.shelf.pages.site import SITE


class Library:
    """A shelf and its pages."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.pages = Pages(SITE, ShelfApi(shelf), shelf.clock)

    async def read(self, title: str, finished: str, **more: object) -> None:
        """Add a book that was finished."""
        book = await self._shelf.add(title=title, author="George Eliot", **more)
        past = {"end": "finished", "ended": finished, "stars": 5.0}
        assert (await self._shelf.send("POST", f"/books/{book['id']}/readings", past)).status == 201
        await self._shelf.caught_up()


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    async with Shelf() as shelf:
        yield Library(shelf)


async def test_an_empty_shelf_has_no_numbers_yet(library: Library) -> None:
    page = await library.pages.get("/stats")
    assert page.status == 200
    assert "No numbers yet" in page.words
    year = await library.pages.get("/stats/2019")
    assert "Nothing finished in this year" in year.words


async def test_the_numbers_of_a_year_are_sentences(library: Library) -> None:
    await library.read("Middlemarch", "2019-03-14", pages=880, format="paperback", language="en")
    await library.read("Romola", "2019-03", pages=640)
    await library.read("Adam Bede", "2018")
    page = await library.pages.get("/stats/2019")
    assert "2 books. 1,520 pages. Most of all in March." in page.words
    assert "The longest Middlemarch" in page.words
    assert "Paperback" in page.words
    whole = await library.pages.get("/stats")
    assert "3 books on the shelf. 3 of them read." in whole.words
    assert 'href="/stats/2018"' in whole.html


async def test_a_goal_is_set_and_taken_back(library: Library) -> None:
    await library.read("Romola", "2019-03")
    page = await library.pages.submit("/stats/2019", {"_key": "1", "books": "12"})
    assert "1 of 12 books" in page.words
    change = page.value("change")
    back = await library.pages.submit("/changes", {"change": change, "_key": change, "_back": "/stats/2019"})
    assert "A goal for this year" in back.words
    refused = await library.pages.post("/stats/2019", {"_key": "2", "books": "many"})
    assert refused.status == 422
    assert refused.value("books") == "many"


async def test_the_picture_of_a_year_is_an_svg_of_its_own(library: Library) -> None:
    await library.read("Middlemarch", "2019-03-14", pages=880)
    await library.read('<b onload="x">', "2019-04-01", pages=80)
    picture = await library.pages.get("/stats/2019/poster.svg")
    assert picture.headers["Content-Type"] == "image/svg+xml"
    assert "sandbox" in picture.headers["Content-Security-Policy"]
    texts = [element.text for element in ET.fromstring(picture.html).iter() if element.tag.endswith("}text")]  # noqa: S314 (our own)
    assert {"2019", "2 books, 960 pages.", "Longest: Middlemarch.", "Middlemarch"} <= set(texts)
    bare = await library.pages.get("/stats/2019/poster.svg?shown=covers")
    assert "Longest" not in bare.html
    assert "Middlemarch" in bare.html
    german = await library.pages.get("/stats/2019/poster.svg", Accept_Language="de")
    assert "MEIN JAHR IN BÜCHERN" in german.html


async def test_a_future_year_is_not_offered(library: Library) -> None:
    this_year = await library.pages.get("/stats/2026")
    assert 'href="/stats/2025"' in this_year.html
    assert 'href="/stats/2027"' not in this_year.html


async def test_no_year_and_no_decade_is_left_out(library: Library) -> None:
    await library.read("Adam Bede", "2017", published="1859")
    await library.read("Romola", "2019", published="1863")
    await library.read("Emma", "2020", published="1996")
    page = await library.pages.get("/stats")
    assert "2017 1 2018 0 2019 1 2020 1" in page.words
    assert "&lt; 1880 2 1880 0" in page.words
    assert "counts there, not as finished" in page.words


async def test_a_remarkable_book_of_a_year_is_shown_once(library: Library) -> None:
    await library.read("Romola", "2019-03", pages=640)
    page = await library.pages.get("/stats/2019")
    assert "The longest Romola" in page.words
    assert "The shortest" not in page.words
    assert "The last" not in page.words
