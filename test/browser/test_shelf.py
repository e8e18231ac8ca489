"""The shelf of covers: a click selects a book, and Back shows the books that were loaded."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from support.browser import browser
from support.program import Program
from support.reader import WAIT_MS, Reader, Window
from support.until import until

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with Program(tmp_path_factory.mktemp("shelf") / "data").ready() as up:
        books = [{"title": f"Volume {number}", "author": "Ada Example"} for number in range(200)]
        volumes = [{"method": "POST", "path": "/books", "body": book} for book in books]
        assert up.client.post("/books/bulk", volumes).status == 200
        until(
            lambda: up.client.get("/books?limit=1").headers["bookshelf-count"] == "200",
            "all are on the shelf",
        )
        yield up
        assert up.stop().well


@pytest.fixture
def reader(shelf: Program) -> Iterator[Reader]:
    with browser() as running:
        found = Reader(running, shelf, Window(1280))
        yield found
        found.leave()


def test_a_click_on_a_cover_selects_the_book_and_back_leads_to_the_same_place(reader: Reader) -> None:
    page = reader.open("/books?select=1")
    page.locator("#books .book").nth(1).click()
    expect(page.locator("[data-selected]")).to_have_text("1")
    page = reader.open("/books")
    page.mouse.move(600, 500)
    rows = page.locator("#books [data-row]")

    def has_grown() -> bool:
        page.mouse.wheel(0, 600)
        return rows.count() >= 180

    until(has_grown, "three parts of the shelf are loaded")
    book = rows.nth(150)
    title = book.locator("h3").inner_text()
    book.scroll_into_view_if_needed()
    top = book.bounding_box()
    book.locator("a").click()
    expect(page.locator("h1")).to_contain_text(title)
    page.go_back()
    expect(book).to_contain_text(title)
    expect(book).to_be_in_viewport()
    assert book.bounding_box() == top
