"""What readers do most, with counted clicks: search as they type, and record tonight's page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect
from support.browser import browser
from support.program import Program

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

WAIT_MS = 30_000
WINDOWS = [(1280, True), (390, True), (1280, False), (390, False)]


class Pointer:
    """Clicks, and counts them."""

    def __init__(self) -> None:
        self.clicks = 0

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with Program(tmp_path_factory.mktemp("shelf") / "data").ready() as up:
        for title in ("Dune", "Emma"):
            book = {"id": title.lower(), "title": title, "author": "Somebody", "pages": 412}
            up.client.post("/books", book)
        up.client.post("/books/dune/readings", {})
        yield up
        assert up.stop().well


@pytest.fixture(scope="module")
def running() -> Iterator[Browser]:
    with browser() as started:
        yield started


def test_a_search_finds_books_while_it_is_typed(running: Browser, shelf: Program) -> None:
    page = running.new_page()
    page.goto(f"{shelf.note.url}/books")
    expect(page.get_by_role("heading", name="Dune")).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("/")
    page.keyboard.type("emm")
    expect(page.get_by_role("heading", name="Dune")).to_have_count(0, timeout=WAIT_MS)
    expect(page.get_by_role("heading", name="Emma")).to_be_visible()
    expect(page.locator("#words")).to_be_focused()
    expect(page.locator("#words")).to_have_value("emm")
    expect(page.locator("#said")).to_have_text("One book")
    assert "q=emm" in page.url
    pointer = Pointer()
    pointer.click(page.get_by_role("link", name="Emma"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Emma", timeout=WAIT_MS)
    assert pointer.clicks == 1
    page.close()


@pytest.mark.parametrize(("place", "window"), list(enumerate(WINDOWS)))
def test_tonights_page_is_recorded_with_two_clicks(
    running: Browser, shelf: Program, place: int, window: tuple[int, bool]
) -> None:
    width, scripted = window
    context = running.new_context(
        viewport={"width": width, "height": 900}, java_script_enabled=scripted, locale="en-GB"
    )
    page = context.new_page()
    page.goto(shelf.note.url)
    pointer = Pointer()
    pointer.click(page.get_by_label("Page", exact=True))
    page.keyboard.type(str(200 + place))
    pointer.click(page.locator("#open-dune").get_by_role("button", name="Save"))
    expect(page.get_by_text(f"page {200 + place} of 412")).to_be_visible(timeout=WAIT_MS)
    assert pointer.clicks == 2
    context.close()


def test_keys_record_a_page_and_take_it_back(running: Browser, shelf: Program) -> None:
    page = running.new_page()
    page.goto(shelf.note.url)
    page.keyboard.press("p")
    page.keyboard.type("300")
    page.keyboard.press("Enter")
    expect(page.get_by_text("page 300 of 412")).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("u")
    expect(page.get_by_text("page 300 of 412")).to_have_count(0, timeout=WAIT_MS)
    page.close()
