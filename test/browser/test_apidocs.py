"""The live API docs in a real browser: whole, from this origin alone, and they can be tried out."""

import pytest
from playwright.sync_api import Browser, expect
from support.browser import Visit
from support.program import Program
from support.service_of import LOCAL_APIS

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

SERVED = {(route.method, route.path) for service in LOCAL_APIS for route in service.serves}
WAIT_MS = 60_000


@pytest.fixture
def visit(running: Browser) -> Visit:
    return Visit(running.new_page(viewport={"width": 1280, "height": 1600}))


def test_every_operation_is_shown_and_all_files_are_of_this_origin(visit: Visit, shelf: Program) -> None:
    visit.page.goto(f"{shelf.note.url}/apidocs/")
    shown = visit.page.locator(".opblock-summary")
    expect(shown).to_have_count(len(SERVED), timeout=WAIT_MS)
    found = {
        (method, path.replace("\u200b", ""))
        for method, path in zip(
            shown.locator(".opblock-summary-method").all_inner_texts(),
            shown.locator(".opblock-summary-path").all_inner_texts(),
            strict=True,
        )
    }
    assert found == SERVED
    assert visit.abroad(shelf.note.url) == []
    assert visit.complaints == []


def test_a_book_can_be_added_with_try_it_out_as_offered_and_as_typed(visit: Visit, shelf: Program) -> None:
    page = visit.page
    page.goto(f"{shelf.note.url}/apidocs/index.html")
    block = page.locator(".opblock").filter(has_text="Put a book onto the shelf")
    block.locator(".opblock-summary-control").click()
    execute = block.get_by_role("button", name="Execute")
    expect(execute).to_be_visible(timeout=WAIT_MS)
    offered = block.locator("textarea.body-param__text").input_value()
    for body, shown in ((offered, '"id"'), ('{"title": "Dune", "author": "Frank Herbert"}', "Frank Herbert")):
        block.locator("textarea.body-param__text").fill(body)
        with page.expect_response("**/bookshelf/books") as answered:
            execute.click()
        assert answered.value.status == 201
        answer = block.locator(".live-responses-table .response").first
        expect(answer).to_contain_text(shown, timeout=WAIT_MS)
    assert visit.abroad(shelf.note.url) == []
    assert visit.complaints == []
