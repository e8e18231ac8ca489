"""The pages of one book over a real shelf: what a reader does with a book, and takes back."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from support.pages import Pages, ShelfApi, ShownPage
from support.shelf import Shelf

from bookshelf.shelf.pages.site import SITE

BOOK = {"id": "middlemarch", "title": "Middlemarch", "author": "George Eliot", "pages": 880, "language": "en"}
HERE = "/books/middlemarch"


class Reader:
    """A reader with a browser, and the API behind the pages."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.pages = Pages(SITE, ShelfApi(shelf), shelf.clock)

    async def book(self) -> dict[str, Any]:
        await self.shelf.caught_up()
        book: dict[str, Any] = (await self.shelf.send("GET", HERE)).json
        return book

    async def get(self, target: str = HERE) -> ShownPage:
        page = await self.pages.get(target)
        assert page.status == 200, page.words
        return page

    async def do(self, step: str, /, **fields: str) -> ShownPage:
        """Send the form of a step, with the version of the page that it is on, and follow its redirect."""
        sent = {"_version": (await self.get()).value("_version"), "_back": HERE, **fields}
        page = await self.pages.submit(f"{HERE}/{step}", sent)
        assert page.status == 200, page.words
        return page

    async def undo(self, page: ShownPage) -> ShownPage:
        """Press Undo in the notice of a page."""
        change = re.search(r'name="change" value="([^"]+)"', page.html)
        assert change is not None
        return await self.pages.submit("/changes", {"change": change[1], "_key": change[1], "_back": HERE})


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    async with Shelf() as shelf:
        await shelf.add(**BOOK)
        await shelf.caught_up()
        yield Reader(shelf)


async def test_a_book_is_read_from_start_to_finish(reader: Reader) -> None:
    assert "Start" in (await reader.get()).words
    started = await reader.do("start")
    assert "Started. Enjoy it." in started.words
    assert (await reader.book())["state"] == "reading"
    progressed = await reader.do("progress", progress="212")
    assert "Page 212 of 880" in progressed.words
    finished = await reader.do("finish", finished="2026-03", stars="4.5", review="Long and good.")
    assert "Finished." in finished.words
    book = await reader.book()
    assert (book["state"], book["finished_on"], book["stars"]) == ("finished", "2026-03", 4.5)
    assert "Long and good." in finished.words


async def test_a_book_that_was_never_opened_can_have_been_read_on_an_unknown_day(reader: Reader) -> None:
    page = await reader.do("finish", finished="", stars="3")
    book = await reader.book()
    assert (book["state"], book["finished"], book["rating"]) == ("finished", None, 3)
    assert "day unknown" in page.words


async def test_progress_starts_a_reading_of_a_book_that_is_not_open(reader: Reader) -> None:
    await reader.do("progress", progress="51 %")
    book = await reader.book()
    assert (book["state"], book["progress"]["percent"]) == ("reading", 51.0)


async def test_a_reading_is_paused_resumed_and_given_up(reader: Reader) -> None:
    await reader.do("start")
    await reader.do("pause")
    assert (await reader.book())["state"] == "paused"
    await reader.do("start")
    assert (await reader.book())["state"] == "reading"
    page = await reader.do("abandon", reason="Too much politics.")
    assert (await reader.book())["state"] == "abandoned"
    assert "Too much politics." in page.words
    assert "Start it again" in page.words
    assert page.words.index("Given up") < page.words.index("Start it again")


@pytest.mark.parametrize("text", ["", "far", "12 leagues"])
async def test_progress_that_is_not_understood_keeps_what_was_typed(reader: Reader, text: str) -> None:
    await reader.do("start")
    version = (await reader.get()).value("_version")
    page = await reader.pages.post(
        f"{HERE}/progress", {"_version": version, "progress": text, "note": "A note"}
    )
    assert page.status == 422
    assert "This was not saved" in page.words
    assert "A note" in page.html


async def test_progress_beyond_the_last_page_is_refused_at_its_field(reader: Reader) -> None:
    await reader.do("start")
    version = (await reader.get()).value("_version")
    page = await reader.pages.post(f"{HERE}/progress", {"_version": version, "progress": "900"})
    assert page.status == 422
    assert "The book has 880 pages. If yours has more, write both: 900/900." in page.words
    assert page.value("progress") == "900"
    await reader.do("progress", progress="900/912")
    assert (await reader.book())["progress"] == {"page": 900, "of": 912}


async def test_stars_are_given_corrected_and_cleared(reader: Reader) -> None:
    await reader.do("stars", stars="4")
    assert (await reader.book())["rating"] == 4
    await reader.do("stars", stars="4", exactly="4,25")
    assert (await reader.book())["stars"] == 4.25
    await reader.do("stars", stars="2.5")
    assert (await reader.book())["stars"] == 2.5
    await reader.do("stars", stars="")
    assert (await reader.book())["rating"] is None


async def test_quarters_of_stars_light_the_half_below_them(reader: Reader) -> None:
    await reader.do("stars", exactly="4.75")
    page = await reader.get()
    assert re.findall(r'<label class="lit"><input[^>]* value="([0-9.]+)"', page.html) == ["4.5"]
    assert 'name="stars" id="rate-0" value="" checked' not in page.html
    await reader.do("stars", exactly="4.75")
    assert (await reader.book())["stars"] == 4.75


async def test_days_are_read_as_they_are_written(reader: Reader) -> None:
    await reader.do("finish", finished="14.11.2024")
    assert (await reader.book())["finished"] == "2024-11-14"
    version = (await reader.get()).value("_version")
    page = await reader.pages.post(f"{HERE}/finish", {"_version": version, "finished": "soon"})
    assert "Write it like 2024-03-14, 2024-03 or 2024." in page.words


async def test_every_step_of_a_reading_can_be_taken_back(reader: Reader) -> None:
    steps: tuple[tuple[str, dict[str, str]], ...] = (
        ("start", {}),
        ("progress", {"progress": "212"}),
        ("stars", {"stars": "4"}),
        ("review", {"text": "So far so good."}),
        ("passages", {"quote": "A quotation", "place": "12"}),
        ("pause", {}),
    )
    for step, fields in steps:
        before = await reader.book()
        page = await reader.do(step, **fields)
        assert await reader.book() != before or step == "passages"
        taken_back = await reader.undo(page)
        assert "Taken back." in taken_back.words
        assert await reader.book() == before
        await reader.do(step, **fields)


async def test_a_change_that_later_ones_build_on_is_taken_back_after_them(reader: Reader) -> None:
    started = await reader.do("start")
    await reader.do("progress", progress="212")
    blocked = await reader.undo(started)
    assert "Other changes came after it" in blocked.words
    found = re.search(r'name="change" value="([^"]+)"><input type="hidden" name="first"', blocked.html)
    assert found is not None
    fields = {"change": found[1], "first": "on", "_version": "1", "_back": HERE}
    done = await reader.pages.submit("/changes", fields)
    assert "Taken back." in done.words
    assert (await reader.book())["state"] == "unread"


async def test_a_removed_book_is_shown_and_put_back(reader: Reader) -> None:
    await reader.do("stars", stars="4")
    reader.shelf.clock.move(timedelta(minutes=1))
    await reader.do("remove")
    page = await reader.get()
    assert "This book is off the shelf." in page.words
    assert "Middlemarch" in page.words
    back = await reader.pages.submit(f"{HERE}/restore", {"_key": "1", "_back": HERE})
    assert "The book is back on the shelf." in back.words
    assert (await reader.book())["rating"] == 4


async def test_an_address_without_a_book_offers_a_search_for_its_words(reader: Reader) -> None:
    page = await reader.pages.get("/books/the-moon-stone")
    assert page.status == 404
    assert page.value("q") == "the moon stone"


async def test_a_passage_is_kept_changed_and_removed(reader: Reader) -> None:
    page = await reader.do("passages", quote="If we had a keen vision", place="51 %")
    assert "If we had a keen vision" in page.words
    page = await reader.do("passages/1", quote="If we had a keen vision of all", note="Yes", place="212")
    assert "keen vision of all" in page.words
    assert "Page 212" in page.words
    page = await reader.do("passages/1", step="remove")
    assert "None yet." in page.words


async def test_a_reading_is_corrected_opened_again_and_removed(reader: Reader) -> None:
    await reader.do("finish", finished="2024")
    page = await reader.do("readings/1", started="2023-12", ended="2024-01-05")
    assert "December 2023" in page.words
    await reader.do("readings/1", step="reopen")
    assert (await reader.book())["state"] == "reading"
    await reader.do("readings/1", step="remove")
    assert (await reader.book())["state"] == "unread"
    assert (await reader.pages.get(f"{HERE}/readings/7")).status == 404


async def test_the_book_is_shown_as_it_was_on_a_day(reader: Reader) -> None:
    await reader.do("stars", stars="4")
    day = (await reader.book())["added"][:10]
    page = await reader.get(f"{HERE}?as-of={day}")
    assert "As it was on" in page.words
    assert "Undo" not in page.words
    page = await reader.get(f"{HERE}?as-of=1999-01-01")
    assert "On 1 January 1999 it was not on your shelf. This is how it is now." in page.words
    assert (await reader.pages.get("/books/no-such?as-of=1999-01-01")).status == 404


async def test_a_page_of_a_book_has_its_neighbours_editions_and_further_books(reader: Reader) -> None:
    await reader.shelf.add(id="bleak", title="Bleak House", author="Charles Dickens")
    await reader.shelf.add(id="other", title="Middlemarch", author="George Eliot")
    await reader.shelf.add(id="romola", title="Romola", author="George Eliot")
    await reader.shelf.caught_up()
    page = await reader.get()
    assert re.search(r'href="/books/bleak"[^>]*rel="prev"', page.html)
    assert "Other editions" in page.words
    assert "Also by George Eliot" in page.words
    assert "Romola" in page.words


async def test_a_title_is_always_text(reader: Reader) -> None:
    hostile = '<script>alert("1")</script>'
    await reader.shelf.add(id="hostile", title=hostile, author=hostile, notes=hostile, tags=[hostile])
    await reader.shelf.caught_up()
    page = await reader.get("/books/hostile")
    assert "<script>alert" not in page.html
    assert "&lt;script&gt;alert" in page.html


async def test_a_step_leads_back_to_the_page_that_it_was_opened_from(reader: Reader) -> None:
    await reader.do("start")
    page = await reader.pages.get(f"{HERE}/pause", Referer="http://localhost:8000/?view=list#open")
    assert page.value("_back") == "/?view=list"
    wrong = await reader.pages.post(f"{HERE}/pause", {"_version": "1", "_back": "/?view=list", "on": "soon"})
    assert wrong.value("_back") == "/?view=list"
    for elsewhere in ("", f"http://localhost:8000{HERE}/pause", "http://localhost:8000//host/"):
        assert (await reader.pages.get(f"{HERE}/pause", Referer=elsewhere)).value("_back") == HERE


async def test_the_last_page_offers_to_finish(reader: Reader) -> None:
    await reader.do("start")
    page = await reader.do("progress", progress="879")
    assert "I have finished it" not in page.words
    page = await reader.do("progress", progress="880")
    assert "I have finished it" in page.words
    assert "at the end: have you finished it?" in (await reader.get("/")).words


async def test_columns_and_numbers_of_programs_are_folded_in_plain_words(reader: Reader) -> None:
    given = {
        "ids": {"goodreads": "9101", "shopx": "7"},
        "extra": {"CSV: work_text_reviews_count": "4478", "Goodreads: Condition": "worn", "shelfMark": "A1"},
    }
    await reader.shelf.send("PATCH", HERE, given)
    await reader.shelf.caught_up()
    page = await reader.get()
    folded = page.html.partition('<details id="from-file">')[2].partition("</details>")[0]
    assert folded
    words = " ".join(re.sub("<[^>]+>", " ", folded).split())
    assert words == (
        "From the file Work text reviews count 4478 Goodreads: Condition worn Shelf Mark A1"
        " Number at Goodreads 9101 Number at shopx 7"
    )
    assert "9101" not in page.html.replace(folded, "").partition('id="history"')[0]
