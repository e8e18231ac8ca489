"""Changes of many books as jobs: progress, refusals by book, continued after a restart, undo of all."""

import asyncio
import re
from pathlib import Path
from typing import Any

from support.pages import Pages, ShelfApi, ShownPage
from support.shelf import Shelf

from bookshelf.http.message import Request, Response
from bookshelf.shelf.pages.site import SITE
from bookshelf.site.jobs import Jobs

MANY = 510


async def fill(shelf: Shelf, count: int) -> None:
    """Put books on the shelf; the first one has all the tags that it can have."""
    full = [f"tag {number}" for number in range(200)]
    items = [
        {
            "method": "POST",
            "path": "/books",
            "body": {"id": f"b{n}", "title": f"Book {n}", "author": "A", "tags": ["all"] if n else full},
        }
        for n in range(count)
    ]
    assert (await shelf.send("POST", "/books/bulk", items)).status == 200
    await shelf.caught_up()


class PausedApi:
    """Sends requests to the shelf; the bulk requests after the first ones wait until it is resumed."""

    def __init__(self, shelf: Shelf, passing: int) -> None:
        self._inner = ShelfApi(shelf)
        self._passing = passing
        self.paused = asyncio.Event()
        self.resumed = asyncio.Event()

    async def handle(self, asked: Request) -> Response:
        if asked.target.endswith("/bulk"):
            self._passing -= 1
            if self._passing < 0:
                self.paused.set()
                await self.resumed.wait()
        return await self._inner.handle(asked)


def form(action: str, value: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 (fields)
    return {"_key": "k1", "everything": "on", "action": action, "value": value, **more}


async def ended(pages: Pages, jobs: Jobs, answer: ShownPage) -> ShownPage:
    """Return the page of the job that a form has led to, once the job has ended."""
    assert answer.location.startswith("/jobs/"), answer.location
    await jobs.wait(answer.location.removeprefix("/jobs/"), 60)
    return await pages.get(answer.location)


async def undo(pages: Pages, jobs: Jobs, page: ShownPage) -> ShownPage:
    correlation = page.value("correlation")
    answer = await pages.post("/changes", {"correlation": correlation, "_key": "u1", "_back": "/books"})
    if answer.location.startswith("/jobs/"):
        return await ended(pages, jobs, answer)
    return await pages.get(answer.location)


async def counted(shelf: Shelf, query: str) -> int:
    await shelf.caught_up()
    return int((await shelf.send("GET", f"/books?limit=1&{query}")).headers["Bookshelf-Count"])


async def test_a_book_that_refuses_is_named_and_all_others_are_changed(shelf: Shelf, tmp_path: Path) -> None:
    await fill(shelf, 3)
    pages = Pages(SITE, ShelfApi(shelf), shelf.clock, tmp_path)
    async with pages.running_jobs() as jobs:
        page = await ended(pages, jobs, await pages.post("/books?select=1", form("tag", "new")))
        assert "2 books were changed" in page.words
        assert "One was left as it was" in page.words
        assert re.search(r'<a href="/books/b0"><b [^>]*>Book 0</b><span [^>]*>[^<]*200', page.html)
        assert await counted(shelf, "tag=new") == 2


async def test_a_change_goes_on_after_its_page_was_left_and_shows_how_far_it_is(
    shelf: Shelf, tmp_path: Path
) -> None:
    await fill(shelf, MANY)
    api = PausedApi(shelf, 1)
    pages = Pages(SITE, api, shelf.clock, tmp_path)
    async with pages.running_jobs(waits_least_s=0) as jobs:
        answer = await pages.post("/books?select=1", form("format", "ebook"))
        await api.paused.wait()
        shown = await pages.get(answer.location)
        assert re.search(r"250 of 510 You can leave this page", shown.words), shown.words
        assert "Books are being changed: 250 of 510." in (await pages.get("/changes")).words
        api.resumed.set()
        page = await ended(pages, jobs, answer)
        assert "510 books were changed" in page.words
        assert await counted(shelf, "format=ebook") == MANY
        undone = await undo(pages, jobs, page)
        assert "Taken back." in undone.words or "510 changes were taken back" in undone.words
        assert await counted(shelf, "format=ebook") == 0


async def test_a_change_that_was_interrupted_continues_and_does_nothing_twice(
    shelf: Shelf, tmp_path: Path
) -> None:
    await fill(shelf, 300)
    api = PausedApi(shelf, 1)
    first = Pages(SITE, api, shelf.clock, tmp_path)
    async with first.running_jobs(waits_least_s=0):
        answer = await first.post("/books?select=1&state=unread", form("finished"))
        await api.paused.wait()
    second = Pages(SITE, ShelfApi(shelf), shelf.clock, tmp_path)
    async with second.running_jobs() as jobs:
        page = await ended(second, jobs, answer)
    assert "The service was restarted meanwhile" in page.words
    assert await counted(shelf, "state=finished") == 300
    readings = await shelf.send("GET", "/readings?limit=1")
    assert readings.headers["Bookshelf-Count"] == "300"


async def test_what_was_taken_back_is_done_again_by_another_undo(shelf: Shelf, tmp_path: Path) -> None:
    await fill(shelf, 3)
    pages = Pages(SITE, ShelfApi(shelf), shelf.clock, tmp_path)
    async with pages.running_jobs() as jobs:
        page = await pages.submit("/books?select=1", form("format", "ebook"))
        for expected in (0, 3, 0):
            page = await undo(pages, jobs, page)
            assert await counted(shelf, "format=ebook") == expected


async def test_nothing_to_change_is_no_change_to_take_back(shelf: Shelf, tmp_path: Path) -> None:
    await fill(shelf, 2)
    pages = Pages(SITE, ShelfApi(shelf), shelf.clock, tmp_path)
    async with pages.running_jobs():
        page = await pages.submit("/books?select=1", form("untag", "no such tag"))
    assert "Changed the selected books." in page.words
    assert 'name="correlation"' not in page.html


async def test_a_job_that_is_unknown_is_not_found(shelf: Shelf, tmp_path: Path) -> None:
    pages = Pages(SITE, ShelfApi(shelf), shelf.clock, tmp_path)
    async with pages.running_jobs():
        assert (await pages.get("/jobs/nothing")).status == 404
