"""The live API docs in a real browser: whole, from this origin alone, and they can be tried out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browser import Visit, browser
from support.program import Program

from bookshelf.services import WITHOUT_ACCOUNTS

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

SERVED = {
    (route.method, route.path) for service in WITHOUT_ACCOUNTS if not service.root for route in service.serves
}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running shelf."""
    with Program(tmp_path_factory.mktemp("shelf") / "data").ready() as up:
        yield up.note.url
        assert up.stop().well


@pytest.fixture
def visit() -> Iterator[Visit]:
    """A page of Debian's own chromium."""
    with browser() as running:
        yield Visit(running.new_page(viewport={"width": 1280, "height": 1600}))


def test_every_operation_is_shown_and_all_files_are_of_this_origin(
    visit: Visit, origin: str, tmp_path: Path
) -> None:
    visit.page.goto(f"{origin}/apidocs/")
    shown = visit.page.locator(".opblock-summary")
    expect(shown).to_have_count(len(SERVED), timeout=60_000)
    found = {
        (
            row.locator(".opblock-summary-method").inner_text(),
            row.locator(".opblock-summary-path").inner_text().replace("\u200b", ""),
        )
        for row in shown.all()
    }
    assert found == SERVED
    visit.page.screenshot(path=tmp_path / "apidocs.png", full_page=True)
    assert visit.abroad(origin) == []
    assert visit.complaints == []


def opened(page: Page, summary: str) -> Locator:
    """Open an operation, ready to be tried out."""
    block = page.locator(".opblock").filter(has_text=summary)
    block.locator(".opblock-summary-control").click()
    expect(block.get_by_role("button", name="Execute")).to_be_visible(timeout=60_000)
    return block


def test_a_book_can_be_added_with_try_it_out(visit: Visit, origin: str, tmp_path: Path) -> None:
    page = visit.page
    page.goto(f"{origin}/apidocs/index.html")
    block = opened(page, "Put a book onto the shelf")
    block.locator("textarea.body-param__text").fill('{"title": "Dune", "author": "Frank Herbert"}')
    block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table .response").first
    expect(answer.locator(".response-col_status")).to_contain_text("201", timeout=60_000)
    expect(answer).to_contain_text("Frank Herbert")
    page.screenshot(path=tmp_path / "tried.png", full_page=True)
    assert visit.abroad(origin) == []
    assert visit.complaints == []
    sent = [url for url in visit.requests if url.endswith("/bookshelf/books")]
    assert sent == [f"{origin}/bookshelf/books"]


def test_the_offered_example_is_accepted_unchanged(visit: Visit, origin: str) -> None:
    page = visit.page
    page.goto(f"{origin}/apidocs/index.html")
    block = opened(page, "Put a book onto the shelf")
    block.get_by_role("button", name="Execute").click()
    status = block.locator(".live-responses-table .response .response-col_status").first
    expect(status).to_contain_text("201", timeout=60_000)
