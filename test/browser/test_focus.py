"""Where the focus is after an action, and why a key can do nothing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from support.program import Program
from support.reader import WAIT_MS, Reader, Window

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def reader(running: Browser, shelf: Program) -> Iterator[Reader]:
    found = Reader(running, shelf, Window(1280))
    yield found
    found.tidy()
    found.leave()


def test_after_an_action_the_focus_is_on_the_same_book_or_on_its_successor(reader: Reader) -> None:
    first, second = (reader.add_open(title, pages=412) for title in ("Dune", "Emma"))
    page = reader.open()
    page.locator(f"#far-{first}").fill("7")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("Saved how far you are.")
    expect(reader.button("Save", page.locator(f"#open-{first}"))).to_be_focused()
    reader.press("f")
    expect(page.locator("dialog[open]")).to_be_visible()
    reader.press("Enter")
    expect(page.locator("#notice")).to_contain_text("Finished.")
    expect(page.locator(f"#open-{second} :focus")).to_have_count(1)
    reader.press("u")
    expect(page.locator("#notice")).to_contain_text("Taken back.")
    expect(page.locator("#main")).to_be_focused()


def test_sort_keeps_the_focus_and_escape_closes_what_is_open(reader: Reader) -> None:
    book = reader.add("Dune")
    page = reader.open("/books?view=covers")
    page.locator("#sort").focus()
    page.locator("#sort").select_option("title")
    page.wait_for_url("**sort=title**")
    expect(page.locator("#sort")).to_be_focused()
    page.locator("#filters summary").click()
    reader.press("Tab", "Escape")
    expect(page.locator("#filters summary")).to_be_focused()
    expect(page.locator("#filters[open]")).to_have_count(0)
    page.goto(f"{reader.shelf.note.url}/books/{book}")
    menu = page.locator("#acts .menu")
    menu.locator("summary").click()
    reader.press("Tab", "Escape")
    expect(menu.locator("summary")).to_be_focused()
    expect(menu.get_by_text("Review")).to_be_hidden()


def test_the_reason_is_shown_if_a_key_can_do_nothing(reader: Reader) -> None:
    reader.add("Dune")
    page = reader.open("/export")
    for key, reason in (("x", "Nothing can be selected here."), ("u", "Nothing was just done here.")):
        reader.press(key)
        expect(page.locator("#notice")).to_contain_text(reason)
    page = reader.open("/books?view=covers")
    reader.press("x")
    expect(page.locator("#notice")).to_contain_text("Go to a row with j or k first")
    reader.press("j", "x")
    expect(page.locator("[data-selected]")).to_have_text("1")
    expect(page.locator("#books [data-row] :focus")).to_have_count(1)
