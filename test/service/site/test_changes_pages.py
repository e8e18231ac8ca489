"""The page of all changes over a real shelf."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.pages import Pages, ShelfApi
from support.shelf import Shelf

from bookshelf.shelf.pages.change_origin import ChangeOrigin, jobs_by_correlation, origin_of
from bookshelf.shelf.pages.past import ShownChange, ShownEvent
from bookshelf.shelf.pages.site import SITE
from bookshelf.site.job_store import Job
from bookshelf.site.jobs import Jobs


class Changes:
    """A shelf whose changes are shown."""

    jobs: Jobs

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
        async with changes.pages.running_jobs() as changes.jobs:
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
    changes.shelf.clock.move(timedelta(seconds=1))  # changes of one moment are in any order
    await changes.send("POST", "/books", {"title": "Dune", "author": "Frank Herbert"})
    page = await changes.pages.get("/changes")
    assert "Imported: 3 changes" in page.words
    done = await changes.pages.submit("/changes", {"correlation": "import-1", "_version": "1"})
    assert "Taken back." in done.words
    await changes.shelf.caught_up()
    assert [book["title"] for book in (await changes.shelf.send("GET", "/books")).json] == ["Dune"]


async def test_a_group_of_changes_is_named_by_what_it_was(changes: Changes) -> None:
    await changes.pages.submit("/", {"_key": "1", "samples": "add"})
    await changes.shelf.caught_up()
    many = {"_key": "2", "action": "tag", "value": "old", "everything": "on"}
    await changes.pages.submit("/books", many)
    for job in await changes.jobs.all():
        await changes.jobs.wait(job.id, 60)
    await changes.shelf.caught_up()
    words = (await changes.pages.get("/changes")).words
    assert "Tag added old : 12 books" in words
    await changes.send("POST", "/books", {"title": "Dune", "author": "Frank Herbert"})
    await changes.pages.submit("/", {"_key": "3", "samples": "remove"})
    await changes.shelf.caught_up()
    assert "12 sample books removed" in (await changes.pages.get("/changes")).words


def past(number: int, kind: str, book: str) -> ShownChange:
    event = ShownEvent(kind=kind, data={})
    time = datetime(2026, 1, 31, 12, number, tzinfo=UTC)
    where = f"/books/{book}"
    return ShownChange(
        id=str(number), time=time, address=where, title="", events=(event,), undo="yes", correlation="c"
    )


def test_origins_of_changes() -> None:
    made = datetime(2026, 1, 31, tzinfo=UTC)
    books = [past(1, "book-added", "a"), past(2, "book-added", "b")]
    samples = [past(1, "book-added", "sample-alice"), past(2, "reading-finished", "sample-alice")]
    assert origin_of(books, {}) == ChangeOrigin(kind="added", count=2)
    assert origin_of(books, {}, complete=False) == ChangeOrigin()
    assert origin_of(samples, {}) == ChangeOrigin(kind="samples", count=1)
    report = {"counts": {"added": 10, "updated": 1, "restored": 1, "unchanged": 5}}
    brought = Job(id="i", kind="import", made=made, name="goodreads.csv", report=report)
    brought = replace(brought, parameters={"correlation": "c"})
    assert origin_of(books, {"c": brought}) == ChangeOrigin()  # it is running
    brought = replace(brought, state="done")
    assert origin_of(books, {"c": brought}) == ChangeOrigin(kind="import", name="goodreads.csv", count=12)
    parameters = {"correlation": "c", "own": "u"}
    undo = Job(id="u", kind="undo", made=made, parameters=parameters, report={"taken_back": 12})
    undo = replace(undo, state="done")
    jobs = jobs_by_correlation([undo, brought])
    taken_back = [replace(change, correlation="u") for change in books]
    assert origin_of(taken_back, jobs) == ChangeOrigin(kind="undo", name="goodreads.csv", count=12)


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
