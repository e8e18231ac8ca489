"""Imports by pages, in this process: upload, preview, run, correct, undo; and jobs that are interrupted."""

import asyncio
import csv
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from support.pages import Pages, ShelfApi, ShownPage
from support.shelf import Shelf

from bookshelf.http.message import Request, Response
from bookshelf.shelf.pages.jobs import IMPORT, undo_id
from bookshelf.shelf.pages.site import SITE
from bookshelf.site.job_store import Job, JobStore
from bookshelf.site.jobs import Jobs

IMPORTED = {"_version": "1", "do": "import"}
BOOKS = """Title,Author,ISBN13,Date Read,My Rating,Bookshelves,Shelf mark
Dune,Frank Herbert,9780441013593,2019/03/14,5,science-fiction,A1
Beloved,Toni Morrison,,,4,,A2
,Stanisław Lem,,,,,A3
Middlemarch,George Eliot,,2020/11/02,,classics,A4
"""


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as shelf:
        yield shelf


@pytest.fixture
def pages(shelf: Shelf, tmp_path: Path) -> Pages:
    return Pages(SITE, ShelfApi(shelf), folder=tmp_path)


@pytest.fixture(autouse=True)
async def jobs(pages: Pages) -> AsyncIterator[Jobs]:
    async with pages.running_jobs() as jobs:
        yield jobs


async def preview(pages: Pages, text: str = BOOKS) -> ShownPage:
    form = await pages.get("/import")
    return await pages.submit("/import", {"_key": form.value("_key"), "text": text})


def address(page: ShownPage) -> str:
    found = re.search(r'action="(/import/[^"/]+)"', page.html)
    assert found is not None
    return found[1]


async def titles(shelf: Shelf) -> list[str]:
    await shelf.caught_up()
    return [book["title"] for book in (await shelf.send("GET", "/books?sort=title")).json]


async def finished(
    pages: Pages, jobs: Jobs, where: str, fields: Mapping[str, Any], job: str = ""
) -> ShownPage:
    """Send a form that starts a job, and return its page once the job has ended."""
    page = (await pages.post(where, fields)).location
    await jobs.wait(job or page.split("/")[2], 60)
    return await pages.get(page)


async def brought(pages: Pages, jobs: Jobs) -> ShownPage:
    return await finished(pages, jobs, address(await preview(pages)), IMPORTED)


def undo_of(address: str) -> str:
    """Return the id of the job that takes back the import with this address."""
    return undo_id(f"import-{address.split('/')[2]}")


async def test_a_preview_changes_nothing_and_shows_what_becomes_of_the_columns(
    shelf: Shelf, pages: Pages
) -> None:
    shown = await preview(pages)
    assert "4 lines" in shown.words
    assert "3 new" in shown.words
    assert "1 not usable" in shown.words
    assert "Import 3 books" in shown.words
    assert "science-fiction · classics" in shown.words
    assert await titles(shelf) == []


GOODREADS = """Book Id,Title,Author,Author l-f,ISBN,My Rating,Date Read,Bookshelves,Bookshelves with positions,Exclusive Shelf
1,Dune,Frank Herbert,"Herbert, Frank",="",5,2019/03/14,Favorites,Favorites (#1),read
2,Beloved,Toni Morrison,"Morrison, Toni",="",0,,favorites,favorites (#2),currently-reading
3,Emma,Jane Austen,"Austen, Jane",="",0,,to-read,to-read (#1),to-read
4,Persuasion,Jane Austen,"Austen, Jane",="",3,,did-not-finish,did-not-finish (#2),did-not-finish
"""  # noqa: E501 (the header of the program)


async def test_a_preview_has_what_becomes_of_the_books(shelf: Shelf, pages: Pages) -> None:
    await shelf.add(title="Dune", author="Frank Herbert")
    await shelf.send("POST", "/lists", {"name": "FAVORITES"})
    await shelf.caught_up()
    shown = await preview(pages, GOODREADS)
    assert "3 new books: 1 given up · 1 being read · 1 unread; 1 with stars" in shown.words
    assert "On lists: FAVORITES (2) · Up next (1)" in shown.words
    assert "Import 4 books" in shown.words  # three new ones, and one that gets something new
    assert "7 values" not in shown.words
    assert "Author to sort by" in shown.words
    assert "Lists, in their order" in shown.words


async def test_shelves_of_goodreads_become_lists_and_no_tags_and_their_case_does_not_matter(
    shelf: Shelf, pages: Pages, jobs: Jobs
) -> None:
    await shelf.send("POST", "/lists", {"name": "FAVORITES"})
    await shelf.caught_up()
    await finished(pages, jobs, address(await preview(pages, GOODREADS)), IMPORTED)
    await shelf.caught_up()
    lists = {each["name"]: each["count"] for each in (await shelf.send("GET", "/lists")).json}
    assert lists == {"": 1, "FAVORITES": 2}
    assert all(not book.get("tags") for book in (await shelf.send("GET", "/books?q=beloved")).json)


async def test_the_same_form_sent_twice_is_one_import(pages: Pages) -> None:
    form = {"_key": "1", "text": BOOKS}
    first, second = await pages.post("/import", form), await pages.post("/import", form)
    assert first.location == second.location


async def test_an_import_brings_the_books_and_keeps_its_report(
    shelf: Shelf, pages: Pages, jobs: Jobs
) -> None:
    report = await brought(pages, jobs)
    assert "3 books added" in report.words
    assert "Line 4" in report.words
    assert await titles(shelf) == ["Beloved", "Dune", "Middlemarch"]
    assert "3 books added" in (await pages.get("/import")).words
    await shelf.caught_up()
    assert "Import of Pasted text: 3 books" in (await pages.get("/changes")).words


async def test_a_chosen_field_takes_a_column(shelf: Shelf, pages: Pages, jobs: Jobs) -> None:
    chosen = {**IMPORTED, "column": ["Shelf mark"], "field": ["location"]}
    await finished(pages, jobs, address(await preview(pages)), chosen)
    await shelf.caught_up()
    (dune,) = (await shelf.send("GET", "/books?q=dune")).json
    assert dune["location"] == "A1"


async def test_a_later_file_changes_fields_readings_and_stars_of_a_book(
    shelf: Shelf, pages: Pages, jobs: Jobs
) -> None:
    await finished(pages, jobs, address(await preview(pages, "Title,Author,Pages\nDune,F H,400\n")), IMPORTED)
    await shelf.caught_up()
    later = "Title,Author,Pages,Date read,My rating,Review\nDune,F H,412,2024-03-01,4,Sand\n"
    await finished(pages, jobs, address(await preview(pages, later)), {**IMPORTED, "_key": "2"})
    await shelf.caught_up()
    (dune,) = (await shelf.send("GET", "/books")).json
    wanted = {"pages": 412, "finished": "2024-03-01", "rating": 4, "review": "Sand"}
    assert {name: dune[name] for name in wanted} == wanted


async def test_a_refused_line_is_corrected_in_place_and_then_counts_as_added(
    shelf: Shelf, pages: Pages, jobs: Jobs
) -> None:
    report = await brought(pages, jobs)
    (line,) = re.findall(r'action="(/import/[^"]+/lines/0)"', report.html)
    cells = ["", "Stanisław Lem", "", "", "", "", "A3"]
    refused = await pages.post(line, {"_key": "1", "cell": cells})
    assert refused.status == 422
    corrected = await pages.submit(line, {"_key": "1", "cell": ["Solaris", *cells[1:]]})
    assert "Corrected and imported" in corrected.words
    assert "4 books added" in corrected.words
    assert "0 not usable" in corrected.words
    assert 'hx-select-oob="#outcome:innerHTML,#tally"' in report.html
    assert "Solaris" in await titles(shelf)
    assert "4 books added" in (await pages.get("/import")).words


async def test_refused_lines_are_a_file_that_can_be_imported(pages: Pages, jobs: Jobs) -> None:
    report = await brought(pages, jobs)
    (link,) = re.findall(r'href="(/import/[^"]+/refused)"', report.html)
    answer = await pages.get(link)
    assert answer.headers["Content-Disposition"].endswith(".refused.csv")
    assert answer.html.splitlines()[1].startswith(",Stanisław Lem,")


async def test_reasons_and_remarks_are_in_the_language_of_the_page(pages: Pages, jobs: Jobs) -> None:
    pages.cookies["bookshelf-prefs"] = "language=de"
    text = BOOKS.replace("5,science-fiction", "4.3,science-fiction") + '"Kim,Rudyard Kipling,,,,,A5\n'
    report = await finished(pages, jobs, address(await preview(pages, text)), IMPORTED)
    assert "Zeile 4 der Titel fehlt: eintragen" in report.words
    assert "Zeile 2 Bewertung '4.3' auf 4,25 Sterne gerundet" in unescape(report.words)
    assert 'lang="en"' not in report.html
    (link,) = re.findall(r'href="(/import/[^"]+/refused)"', report.html)
    rows = list(csv.reader((await pages.get(link)).html.splitlines()))
    assert rows[1][-1] == "der Titel fehlt: eintragen"
    assert rows[2][-1] == 'ein " steht an einer falschen Stelle: Anführungszeichen berichtigen'
    line = link.replace("/refused", "/lines/0")
    again = await pages.post(line, {"_key": "1", "cell": ["", "", "", "", "", "", "A3"]})
    assert "der Titel fehlt: eintragen" in again.words


async def test_a_file_that_is_no_library_is_explained_in_the_language_of_the_page(pages: Pages) -> None:
    pages.cookies["bookshelf-prefs"] = "language=de"
    shown = await preview(pages, "no books here")
    assert "in Eingefügter Text sind keine Bücher zu erkennen" in shown.words
    assert 'lang="en"' not in shown.html


async def test_the_report_of_an_older_job_is_shown_with_its_english_reasons(pages: Pages, jobs: Jobs) -> None:
    report = await brought(pages, jobs)
    pages.cookies["bookshelf-prefs"] = "language=de"
    (job,) = re.findall(r'action="/import/([^"]+)/lines/0"', report.html)
    ((number, content),) = await jobs.lines(job, "refused")
    await jobs.put_lines(job, "refused", [(number, {**content, "reason": "the line is 100% blank {"})])
    shown = await pages.get(f"/import/{job}")
    assert '<span translate="no" lang="en">the line is 100% blank {</span>' in shown.html
    file = await pages.download(f"/import/{job}/refused")
    assert b"the line is 100% blank {" in file


async def test_an_import_is_taken_back_as_a_whole(shelf: Shelf, pages: Pages, jobs: Jobs) -> None:
    report = await brought(pages, jobs)
    (undo,) = re.findall(r'action="(/import/[^"]+/undo)"', report.html)
    shown = await finished(pages, jobs, undo, {"_version": "1"}, undo_of(undo))
    assert "This import was taken back" in shown.words
    assert "could not be" not in shown.words
    assert await titles(shelf) == []
    assert "3 books added · taken back" in (await pages.get("/import")).words


async def test_an_import_that_is_taken_back_among_the_changes_is_named_so(pages: Pages, jobs: Jobs) -> None:
    report = await brought(pages, jobs)
    (undo,) = re.findall(r'action="(/import/[^"]+/undo)"', report.html)
    sent = {"correlation": f"import-{undo.split('/')[2]}"}
    await finished(pages, jobs, "/changes", sent, undo_of(undo))
    assert "3 books added · taken back" in (await pages.get("/import")).words
    assert "This import was taken back" in (await pages.get(undo.removesuffix("/undo"))).words


async def test_removed_books_stay_removed_unless_the_reader_wants_them_back(
    shelf: Shelf, pages: Pages, jobs: Jobs
) -> None:
    report = await brought(pages, jobs)
    (undo,) = re.findall(r'action="(/import/[^"]+/undo)"', report.html)
    await finished(pages, jobs, undo, {"_version": "1"}, undo_of(undo))
    await shelf.caught_up()
    again = await preview(pages)
    assert "0 on the shelf" in again.words
    assert "3 removed before" in again.words
    assert "What about books that you removed?" in again.words
    assert "--restore-removed" not in again.words
    back = await finished(pages, jobs, address(again), {**IMPORTED, "removed": "restore"})
    assert "3 books put back" in back.words
    assert "0 on the shelf" in back.words
    assert await titles(shelf) == ["Beloved", "Dune", "Middlemarch"]
    (dune,) = (await shelf.send("GET", "/books?q=dune")).json
    assert (dune["state"], dune["finished"], dune["rating"]) == ("finished", "2019-03-14", 5)


async def test_a_file_that_is_no_library_is_explained_with_its_own_name(pages: Pages) -> None:
    shown = await preview(pages, "no books here")
    assert "This file cannot be read" in shown.words
    assert "Pasted text holds no books" in shown.words
    assert "/uploads/" not in shown.html


async def test_a_form_without_a_file_and_without_text_is_refused(pages: Pages) -> None:
    answer = await pages.post("/import", {"_key": "1", "text": " "})
    assert answer.status == 422
    assert "Choose a file, or paste its text." in answer.words


class Stalling:
    """Sends requests to the shelf, and from the second one with this end of its address on none any more."""

    def __init__(self, shelf: Shelf, end: str = "/bulk") -> None:
        self._inner = ShelfApi(shelf)
        self._end = end
        self.stalled = asyncio.Event()
        self._met = 0

    async def handle(self, asked: Request) -> Response:
        self._met += asked.target.endswith(self._end)
        if self._met > 1:
            self.stalled.set()
            await asyncio.Event().wait()
        return await self._inner.handle(asked)


async def test_an_import_that_was_interrupted_continues_and_does_nothing_twice(
    shelf: Shelf, tmp_path: Path
) -> None:
    lines = "".join(f"Book {n},Author {n}\n" for n in range(700))
    text = f"Title,Author\n{lines}"
    stalling = Stalling(shelf)
    first = Pages(SITE, stalling, folder=tmp_path / "site")
    async with first.running_jobs() as jobs, asyncio.timeout(60):
        where = address(await preview(first, text))
        jobs.waits_least_s = 0
        await first.post(where, IMPORTED)
        await stalling.stalled.wait()
    second = Pages(SITE, ShelfApi(shelf), folder=tmp_path / "site")
    async with second.running_jobs() as jobs:
        await jobs.wait(where.split("/")[2], 60)
        shown = await second.get(where)
    assert "The service was restarted meanwhile" in shown.words
    await shelf.caught_up()
    assert (await shelf.send("GET", "/books?limit=1")).headers["Bookshelf-Count"] == "700"


async def test_the_page_of_a_running_preview_shows_the_program_and_the_first_books(
    shelf: Shelf, tmp_path: Path
) -> None:
    stalling = Stalling(shelf, "&removed=true")
    first = Pages(SITE, stalling, folder=tmp_path / "site")
    async with first.running_jobs() as jobs, asyncio.timeout(60):
        await preview(first, "Title,Author\nDune,Frank Herbert\n")
        jobs.waits_least_s = 0
        form = await first.get("/import")
        sent = await first.post("/import", {"_key": form.value("_key"), "text": BOOKS})
        await stalling.stalled.wait()
        shown = await first.get(sent.location)
    assert "Reading the file" in shown.words
    assert "Recognised as CSV, read as utf-8." in shown.words
    assert "Middlemarch" in shown.words
    assert "Import" not in [button.strip() for button in re.findall(r">([^<>]*)</button>", shown.html)]


async def test_drafts_are_removed_after_a_week_and_imports_are_kept(tmp_path: Path) -> None:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    folder = tmp_path / "site"
    store = JobStore(folder, made)
    file = tmp_path / "file"
    file.write_text("x")
    for name, draft in (("a", True), ("b", False)):
        store.add(Job(id=name, kind=IMPORT, made=made, draft=draft), file)
    store.close()
    store = JobStore(folder, made + timedelta(days=8))
    left: list[Any] = [job.id for job in store.all()]
    assert left == ["b"]
    assert not store.path("a").exists()
    store.close()
