"""The page of all changes over a real shelf."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.pages import Pages, ShelfApi
from support.shelf import Shelf

from bookshelf.shelf.pages.site import SITE


class Changes:
    """A shelf whose changes are shown."""

    def __init__(self, shelf: Shelf, folder: Path) -> None:
        self.shelf = shelf
        self.pages = Pages(SITE, ShelfApi(shelf), shelf.clock, folder)

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> None:
        answer = await self.shelf.send(method, path, body, **headers)
        assert answer.status < 300, answer.body
        await self.shelf.caught_up()


@pytest.fixture
async def changes(tmp_path: Path) -> AsyncIterator[Changes]:
    async with Shelf() as shelf:
        changes = Changes(shelf, tmp_path)
        async with changes.pages.running_jobs():
            yield changes


async def test_no_change_yet(changes: Changes) -> None:
    page = await changes.pages.get("/changes")
    assert page.status == 200
    assert "Nothing was done yet" in page.words


async def test_changes_are_sentences_with_the_titles_of_their_books(changes: Changes) -> None:
    await changes.send("POST", "/books", {"id": "emma", "title": "Emma", "author": "Jane Austen"})
    await changes.send("PATCH", "/books/emma", {"pages": 474, "tags": ["novel"]})
    await changes.send("POST", "/lists", {"name": "Holidays"})
    await changes.send("PUT", "/lists/up-next/books/emma", {"after": None})
    await changes.send("PUT", "/goals/2024", {"books": 12})
    await changes.send("DELETE", "/books/emma")
    words = (await changes.pages.get("/changes")).words
    for sentence in (
        "Emma Added to the shelf",
        "Changed Pages: 474",
        "Created the list Holidays",
        "Up next Put on the list Emma",
        "Set the goal for 2024 12 books",
        "Emma Taken off the shelf",
    ):
        assert sentence in words, words


async def test_changes_of_an_import_are_taken_back_together(changes: Changes) -> None:
    for name in ("Emma", "Persuasion", "Sanditon"):
        body = {"title": name, "author": "Jane Austen"}
        await changes.send("POST", "/books", body, Bookshelf_Correlation="import-1")
    await changes.send("POST", "/books", {"title": "Dune", "author": "Frank Herbert"})
    page = await changes.pages.get("/changes")
    assert "Imported: 3 changes" in page.words
    done = await changes.pages.submit("/changes", {"correlation": "import-1", "_version": "1"})
    assert "Taken back." in done.words
    await changes.shelf.caught_up()
    assert [book["title"] for book in (await changes.shelf.send("GET", "/books")).json] == ["Dune"]


async def test_older_changes_are_on_the_next_page(changes: Changes) -> None:
    for number in range(55):
        await changes.send("POST", "/books", {"title": f"Book {number}", "author": "A"})
    page = await changes.pages.get("/changes")
    following = page.html.partition('<p class="pager"><a class="btn" href="')[2].partition('"')[0]
    older = await changes.pages.get(following.replace("&amp;", "&"))
    first, second = (set(re.findall(r"Book \d+", one.words)) for one in (page, older))
    assert (len(first), len(second), len(first | second)) == (50, 5, 55)


async def test_a_change_that_is_unknown_is_404(changes: Changes) -> None:
    assert (await changes.pages.get("/changes/nothing")).status == 404
