"""The live API docs in a real browser: whole, from this origin alone, and they can be tried out."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect, sync_playwright
from support.program import Program

from bookshelf.services import SERVICES

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SERVED = {(route.method, route.path) for service in SERVICES if not service.root for route in service.serves}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running shelf."""
    with Program(tmp_path_factory.mktemp("shelf") / "data").ready() as up:
        yield up.note.url
        assert up.stop().well


class Visit:
    """A page, what it asked for, and what it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._asked)
        page.on("console", self._said)
        page.on("pageerror", lambda fault: self.complaints.append(str(fault)))

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def abroad(self, origin: str) -> list[str]:
        """Return the requests that left the origin."""
        return [url for url in self.requests if not url.startswith((f"{origin}/", "data:", "blob:"))]


@pytest.fixture
def visit() -> Iterator[Visit]:
    """A page of Debian's own chromium."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(60_000)
        yield Visit(page)
        browser.close()


@pytest.mark.parametrize("path", ["/apidocs/index.html", "/apidocs/", "/"])
def test_every_operation_is_shown_and_all_files_are_of_this_origin(
    visit: Visit, origin: str, path: str, tmp_path: Path
) -> None:
    visit.page.goto(origin + path)
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
