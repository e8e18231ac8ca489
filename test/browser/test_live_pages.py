"""What scripts add to pages: changes are shown live, keys, one stream for each visible page."""

import pytest
from playwright.sync_api import Browser, Page, expect
from support.client import Client
from support.program import Program
from support.reader import settle

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
}"""


def add(client: Client, title: str) -> str:
    book = str(client.add(title, author="Frank Herbert")["id"])
    settle(client)
    return book


def open_books(running: Browser, shelf: Program) -> Page:
    page = running.new_page()
    with page.expect_request("**/live"):
        page.goto(f"{shelf.note.url}/books")
    return page


def test_a_change_is_shown_in_every_open_page_and_the_focus_stays(
    running: Browser, shelf: Program, client: Client
) -> None:
    add(client, "Dune")
    pages = [open_books(running, shelf) for _ in range(2)]
    link = pages[0].get_by_role("link", name="Dune", exact=True)
    link.focus()
    add(client, "Children of Dune")
    for page in pages:
        expect(page.get_by_role("heading", name="Children of Dune")).to_be_visible(timeout=30_000)
    expect(link).to_be_focused()
    for page in pages:
        page.close()


def test_after_a_removal_the_focus_is_on_the_next_row(
    running: Browser, shelf: Program, client: Client
) -> None:
    books = {title: add(client, title) for title in ("Aa first", "Aa second", "Aa third")}
    page = running.new_page()
    with page.expect_request("**/live"):
        page.goto(f"{shelf.note.url}/books?view=list&sort=title&q=aa")
    for removed, following in (("Aa second", "Aa third"), ("Aa third", "Aa first")):
        page.get_by_role("link", name=removed, exact=True).focus()
        client.delete(f"/books/{books[removed]}")
        expect(page.get_by_role("link", name=removed, exact=True)).to_have_count(0, timeout=30_000)
        expect(page.get_by_role("link", name=following, exact=True)).to_be_focused()
    page.close()


def test_what_was_typed_survives_a_change_and_the_rest_of_the_page_shows_it(
    running: Browser, shelf: Program, client: Client
) -> None:
    book = add(client, "Dune Chronicles")
    client.post(f"/books/{book}/readings", {})
    settle(client)
    page = running.new_page()
    with page.expect_request("**/live"):
        page.goto(shelf.note.url)
    field = page.locator(f"#far-{book}")
    field.fill("12")
    next_book = add(client, "Hunters of Dune")
    client.send("PUT", f"/lists/up-next/books/{next_book}", {})
    client.post(f"/books/{book}/readings/current/progress", {"progress": {"page": 7}})
    expect(page.locator(f"#next-{next_book}")).to_be_visible(timeout=30_000)
    expect(field).to_have_value("12")
    expect(field).to_be_focused()
    client.delete(f"/books/{book}")
    page.close()


def test_a_closed_dialog_returns_the_focus_to_its_opener(
    running: Browser, shelf: Program, client: Client
) -> None:
    book = add(client, "Dune Road")
    client.post(f"/books/{book}/readings", {})
    settle(client)
    page = running.new_page()
    with page.expect_request("**/live"):
        page.goto(f"{shelf.note.url}/books/{book}")
    opener = page.get_by_role("link", name="Finished", exact=True)
    opener.click()
    expect(page.locator("dialog[open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    opener.click()
    expect(page.locator("dialog[open]")).to_be_visible()
    # the part below the dialog is replaced meanwhile
    client.patch(f"/books/{book}", {"tags": ["desert"]})
    expect(page.locator("#book").get_by_text("#desert")).to_be_attached(timeout=30_000)
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    client.delete(f"/books/{book}")
    page.close()


def test_nine_pages_load_and_hidden_ones_have_no_stream(
    running: Browser, shelf: Program, client: Client
) -> None:
    add(client, "Heretics of Dune")
    context = running.new_context()
    pages: list[Page] = []
    for _ in range(9):
        page = context.new_page()
        page.goto(f"{shelf.note.url}/books")
        expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=30_000)
        if len(pages) < 8:
            page.evaluate(HIDE, arg=True)
        pages.append(page)
    add(client, "God Emperor of Dune")
    expect(pages[-1].get_by_role("heading", name="God Emperor of Dune")).to_be_visible(timeout=30_000)
    assert pages[0].get_by_role("heading", name="God Emperor of Dune").count() == 0
    context.close()


def test_keys_search_walk_and_lead_to_their_table(running: Browser, shelf: Program, client: Client) -> None:
    add(client, "Dune Messiah")
    page = running.new_page()
    page.goto(f"{shelf.note.url}/books")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator("[data-row]").first.locator("a")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible(timeout=30_000)
    page.keyboard.press("Escape")
    expect(page.locator("[data-row]").first.locator("a")).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_url(lambda url: not url.endswith("/books"))
    page.close()


def test_keys_can_be_turned_off(running: Browser, shelf: Program) -> None:
    page = running.new_page()
    page.goto(f"{shelf.note.url}/settings")
    page.get_by_label("Off").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("data-keys", "off")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).not_to_be_focused()
    page.close()


def test_a_label_of_a_dialog_leads_to_its_field_and_its_form_back_to_the_page(
    running: Browser, shelf: Program, client: Client
) -> None:
    read = client.post("/books", {"title": "Emma", "author": "Jane Austen"}).json["id"]
    client.post(f"/books/{read}/readings", {"end": "finished", "ended": "2025-03-14"})
    book = client.post("/books", {"title": "Persuasion", "author": "Jane Austen"}).json["id"]
    client.post(f"/books/{book}/readings", {"started": "2025-03-14"})
    settle(client)
    page = running.new_page()
    page.goto(f"{shelf.note.url}/")
    expect(page.locator("#recent")).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="Finished", exact=True).click()
    page.get_by_text("Day", exact=True).click()
    expect(page.locator("dialog [name=finished]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("Finished.", timeout=30_000)
    assert page.url.rstrip("/") == shelf.note.url
    page.close()


def test_a_menu_is_on_the_screen_of_a_phone(running: Browser, shelf: Program, client: Client) -> None:
    book = client.post("/books", {"title": "Villette", "author": "Charlotte Bront\u00eb"}).json["id"]
    client.post(f"/books/{book}/readings", {"started": "2025-03-14"})
    settle(client)
    page = running.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{shelf.note.url}/books/{book}")
    page.get_by_label("More", exact=True).click()
    shown = page.locator(".menu[open] > div").bounding_box()
    assert shown is not None
    assert shown["x"] >= 0
    assert shown["x"] + shown["width"] <= 390
    assert shown["y"] + shown["height"] <= 844
    page.close()
