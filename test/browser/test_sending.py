"""Forms that are sent twice, late, by keys alone, or beside another change; and pages on paper."""

import re
import zlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from support.program import Program
from support.reader import WAIT_MS, Reader, Window, settle

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def reader(request: pytest.FixtureRequest, running: Browser, shelf: Program) -> Iterator[Reader]:
    found = Reader(running, shelf, Window(1280, scripted=request.param))
    yield found
    found.tidy()
    found.leave()


@pytest.fixture
def typist(running: Browser, shelf: Program) -> Iterator[Reader]:
    found = Reader(running, shelf, Window(1280))
    yield found
    found.tidy()
    found.leave()


def progress(reader: Reader, book: str) -> int:
    """Return how often progress was noted."""
    changes = reader.client.get(f"/changes?book={book}&limit=100").json
    kinds = [event["type"] for change in changes for event in change["events"]]
    return kinds.count("shelf.reading-progressed.v1")


def test_a_double_click_saves_once(reader: Reader) -> None:
    book = reader.add_open("Dune", pages=412)
    page = reader.open()
    page.locator(f"#far-{book}").fill("212")
    reader.button("Save", page.locator(f"#open-{book}")).dblclick()
    expect(page.get_by_text("page 212 of 412")).to_be_visible()
    assert progress(reader, book) == 1


def test_a_form_that_is_sent_again_saves_once(reader: Reader) -> None:
    book = reader.add_open("Dune", pages=412)
    page = reader.open(f"/books/{book}/progress")
    page.locator("#progress").fill("213")
    with page.expect_request(lambda request: request.method == "POST") as sent:
        reader.button("Save").click()
    page.wait_for_url(f"**/books/{book}")
    form = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    again = page.request.post(sent.value.url, data=sent.value.post_data or "", headers=form)
    assert again.url.endswith(f"/books/{book}")
    assert progress(reader, book) == 1


def test_a_change_in_between_shows_both_versions_and_either_is_kept(reader: Reader) -> None:
    book = reader.add("Dune")
    for chosen, mine, title in (("Keep mine", "Mine", "Mine"), ("Take theirs", "Ours", "Theirs")):
        page = reader.open(f"/books/{book}/edit")
        page.get_by_label("Title", exact=True).fill(mine)
        reader.client.patch(f"/books/{book}", {"title": "Theirs"})
        settle(reader.client)
        reader.button("Save").click()
        expect(page.get_by_role("heading", name="This was changed meanwhile")).to_be_visible()
        expect(page.get_by_label("Title", exact=True)).to_have_value(mine)
        expect(page.get_by_text("Stored now: Theirs")).to_be_visible()
        page.get_by_role("button", name=chosen).or_(page.get_by_role("link", name=chosen)).click()
        if chosen == "Keep mine":
            page.wait_for_url(f"**/books/{book}")
        else:
            expect(page.get_by_label("Title", exact=True)).to_have_value("Theirs")
        assert reader.client.get(f"/books/{book}").json["title"] == title


def test_a_refused_line_is_corrected_in_place(typist: Reader) -> None:
    page = typist.open()
    typist.drop("library.csv", b"Title,Author\nSolaris,Stanislaw Lem\n,Iain M. Banks\n")
    typist.button("Import one book").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One book added")
    line = page.locator("#refusals li").first
    line.get_by_label("Title").fill("Excession")
    address = page.url
    line.get_by_role("button", name="Import this line").click()
    expect(page.get_by_text("Corrected and imported")).to_be_visible()
    assert page.url == address
    assert [book["author"] for book in typist.client.books("?q=excession")] == ["Iain M. Banks"]


def test_a_book_is_added_read_and_rated_with_tab_and_enter_alone(typist: Reader) -> None:
    page = typist.open("/settings")
    page.get_by_label("Off").check()
    typist.button("Save").click()
    expect(page.locator("html")).to_have_attribute("data-keys", "off")
    typist.open()

    def tab_to(name: str) -> None:
        for _ in range(80):
            typist.press("Tab")
            if name in page.evaluate(
                "(it => (it.ariaLabel || it.labels?.[0]?.textContent || it.textContent).trim())"
                "(document.activeElement)"
            ):
                return
        raise AssertionError(f"{name} is not reached")

    tab_to("Add")
    typist.press("Enter")
    page.wait_for_url("**/books/add")
    typist.press("Excession II, Banks", "Enter")
    expect(page.locator("#newest li").first).to_contain_text("Excession II")
    tab_to("Excession II")
    typist.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Excession II")
    tab_to("I have read it")
    typist.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    typist.press("Enter")
    expect(page.locator("#notice")).to_contain_text("Finished.")
    (book,) = typist.client.books("?q=excession+ii")
    assert (book["state"], book["stars"]) == ("finished", 4.5)


def texts_of(pdf: bytes) -> str:
    """Return the texts of a PDF: all of its glyphs, read by the table of each of its fonts."""
    tables: list[dict[str, str]] = []
    shown: list[str] = []
    for packed in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            text = zlib.decompress(packed).decode("latin-1")
        except zlib.error:
            continue
        if "beginbfchar" in text or "beginbfrange" in text:
            letters = {
                glyph: chr(int(code, 16))
                for glyph, code in re.findall(r"^<(\w{4})> <(\w{4})>$", text, re.MULTILINE)
            }
            for first, last, code in re.findall(r"<(\w{4})> <(\w{4})> <(\w{4})>", text):
                for place in range(int(last, 16) - int(first, 16) + 1):
                    letters[f"{int(first, 16) + place:04X}"] = chr(int(code, 16) + place)
            tables.append(letters)
        else:
            shown += re.findall(r"<([0-9A-F]{4,})>", text)
    glyphs = [line[place : place + 4] for line in shown for place in range(0, len(line), 4)]
    return "\n".join("".join(table.get(glyph, "") for glyph in glyphs) for table in tables)


def test_a_page_on_paper_has_its_texts(typist: Reader) -> None:
    book = typist.add("Middlemarch", author="George Eliot", notes="A study of provincial life.")
    for path in ("/books?q=middlemarch", f"/books/{book}"):
        page = typist.open(path)
        page.wait_for_load_state("load")
        assert "Middlemarch" in texts_of(page.pdf())
