"""What readers do most, with counted clicks and keys: wide and narrow, with and without scripts."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, FilePayload, expect
from support.program import Program
from support.reader import POINTED, SCRIPTED, TYPED, WAIT_MS, WINDOWS, Reader, Window, library, readers
from support.until import until

from bookshelf.shelf.isbn import to_isbn13

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

expect.set_options(timeout=WAIT_MS)
#: Numbers of books that are on no shelf.
ISBNS = [to_isbn13(f"{n:09}X") for n in range(42)]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with Program(tmp_path_factory.mktemp("shelf") / "data").ready() as up:
        volumes = [
            {"method": "POST", "path": "/books", "body": {"title": f"Volume {n}", "author": "Ada Example"}}
            for n in range(312)
        ]
        assert up.client.post("/books/bulk", volumes).status == 200
        yield up
        assert up.stop().well


@pytest.fixture(scope="module")
def present(running: Browser, shelf: Program) -> Iterator[dict[Window, Reader]]:
    with readers(running, shelf) as found:
        yield found


@pytest.fixture(params=POINTED, ids=str)
def reader(request: pytest.FixtureRequest, present: dict[Window, Reader]) -> Iterator[Reader]:
    """A reader with a pointer, in each window."""
    yield present[request.param]
    present[request.param].tidy()


@pytest.fixture(params=TYPED, ids=str)
def typist(request: pytest.FixtureRequest, present: dict[Window, Reader]) -> Iterator[Reader]:
    """A reader with a keyboard only, in each window where scripts run."""
    yield present[request.param]
    present[request.param].tidy()


def reading(reader: Reader, book: str) -> dict[str, object]:
    """Return the last reading of a book."""
    found: list[dict[str, object]] = reader.client.get(f"/books/{book}/readings").json
    return found[-1]


def test_tonights_page_is_recorded_with_two_clicks(reader: Reader) -> None:
    book = reader.add_open("Dune", pages=412)
    page = reader.open()
    card = page.locator(f"#open-{book}")
    reader.click(card.get_by_label("Page", exact=True))
    reader.press("201")
    reader.click(reader.button("Save", card))
    expect(page.get_by_text("page 201 of 412")).to_be_visible()
    assert reader.clicks == 2


def test_tonights_page_is_recorded_by_keys(typist: Reader) -> None:
    typist.add_open("Dune", pages=412)
    page = typist.open()
    typist.press("p", "202", "Enter")
    expect(page.get_by_text("page 202 of 412")).to_be_visible()


def test_a_book_is_finished_today_with_stars_by_three_clicks(reader: Reader) -> None:
    book = reader.add_open("Dune")
    page = reader.open()
    reader.click(reader.link("Finished", page.locator(f"#open-{book}")))
    reader.click(page.locator(".halves label").nth(8))
    reader.click(reader.button("Save", page.locator("#form")))
    expect(page.locator("#notice")).to_contain_text("Finished.")
    assert reader.clicks == 3
    done = reading(reader, book)
    assert (done["end"], done["stars"]) == ("finished", 4.5)
    assert done["ended"] == datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize(("typed", "stars"), [(["4"], 4), (["4", "."], 4.5), (["r", "3"], 3)])
def test_a_book_is_finished_today_with_stars_by_keys(typist: Reader, typed: list[str], stars: float) -> None:
    book = typist.add_open("Dune")
    page = typist.open()
    typist.press("f")
    expect(page.locator("dialog[open]")).to_be_visible()
    typist.press(*typed, "Enter")
    expect(page.locator("#notice")).to_contain_text("Finished.")
    assert (reading(typist, book)["end"], reading(typist, book)["stars"]) == ("finished", stars)


def test_a_book_is_finished_in_a_year_by_three_clicks(reader: Reader) -> None:
    book = reader.add_open("Dune")
    page = reader.open()
    reader.click(reader.link("Finished", page.locator(f"#open-{book}")))
    reader.click(page.locator("#finished"))
    reader.press("Control+A", "2011")
    reader.click(reader.button("Save", page.locator("#form")))
    expect(page.locator("#notice")).to_contain_text("Finished.")
    assert reader.clicks == 3
    assert reading(reader, book)["ended"] == "2011"


def test_a_book_is_finished_in_a_year_by_keys(typist: Reader) -> None:
    book = typist.add_open("Dune")
    page = typist.open()
    typist.press("f")
    expect(page.locator("dialog[open]")).to_be_visible()
    typist.press("Tab", "2011", "Enter")
    expect(page.locator("#notice")).to_contain_text("Finished.")
    assert reading(typist, book)["ended"] == "2011"


def test_stars_are_given_on_the_page_of_a_book_by_keys(typist: Reader) -> None:
    book = typist.add("Dune")
    page = typist.open(f"/books/{book}")
    typist.press("r", "4", ".", "Enter")
    expect(page.locator("#notice")).to_contain_text("Saved the stars.")
    assert typist.client.get(f"/books/{book}").json["stars"] == 4.5


def test_the_next_book_is_started_with_one_click(reader: Reader) -> None:
    book = reader.add("Emma")
    reader.client.send("PUT", f"/lists/up-next/books/{book}", {})
    page = reader.open()
    reader.click(reader.button("Start Emma"))
    expect(page.locator(f"#open-{book}")).to_be_visible()
    assert reader.clicks == 1


def test_the_next_book_is_started_by_a_key(typist: Reader) -> None:
    book = typist.add("Emma")
    typist.client.send("PUT", f"/lists/up-next/books/{book}", {})
    page = typist.open()
    typist.press("s")
    expect(page.locator(f"#open-{book}")).to_be_visible()


def test_a_book_is_added_by_its_title_with_two_clicks(reader: Reader) -> None:
    page = reader.open()
    reader.click(reader.link("Add"))
    if not reader.window.scripted:
        page.get_by_label("Title, or ISBN").focus()
    expect(page.get_by_label("Title, or ISBN")).to_be_focused()
    reader.press(f"Persuasion {reader.window}, Austen")
    reader.click(reader.button("Save", page.locator("#form")))
    expect(page.locator("#newest li").first).to_contain_text(f"Persuasion {reader.window}")
    expect(page.locator("#newest li").first).to_contain_text("Austen")
    assert reader.clicks == 2


def test_a_book_is_added_by_its_title_and_author_by_keys(typist: Reader) -> None:
    page = typist.open()
    typist.press("a")
    expect(page.get_by_label("Title, or ISBN")).to_be_focused()
    typist.press(f"Villette {typist.window}", "Tab", "Charlotte Brontë", "Enter")
    expect(page.locator("#newest li").first).to_contain_text(f"Villette {typist.window}")
    expect(page.locator("#newest li").first).to_contain_text("Charlotte Brontë")


def test_a_hand_scanner_adds_one_book_after_another(typist: Reader) -> None:
    page = typist.open()
    typist.press("a")
    first, count = (0, 20) if typist.window == SCRIPTED[0] else (20, 4)
    for isbn in ISBNS[first : first + count]:
        expect(page.get_by_label("Title, or ISBN")).to_be_focused()
        typist.press(isbn, "Enter")
        expect(page.locator("#newest li").first).to_contain_text(f"ISBN {isbn}")
    expect(page.locator("#newest li").first).to_contain_text("fill in later")
    # a book that was scanned before is shown, and the next one replaces what was typed
    typist.press(ISBNS[first], "Enter")
    expect(page.locator("#same")).to_be_visible()
    typist.press((other := ISBNS[40 + SCRIPTED.index(typist.window)]), "Enter")
    expect(page.locator("#newest li").first).to_contain_text(other)


def test_a_list_of_isbns_is_added_with_three_clicks(reader: Reader) -> None:
    page = reader.open()
    titles = [f"{n} and {reader.window}" for n in range(20)]
    reader.click(reader.link("Add"))
    reader.click(page.get_by_text("Paste a list"))
    page.get_by_label("A list, one book on each line").fill("\n".join(titles))
    reader.click(reader.button("Add them all"))
    expect(page.locator("#notice")).to_contain_text("Added 20 books.")
    assert reader.clicks == 3
    found = {book["title"] for book in reader.client.books("?sort=-added&limit=20")}
    assert found == set(titles)


def test_a_book_is_found_and_opened_with_one_click(reader: Reader) -> None:
    reader.add("Middlemarch")
    reader.add("Middlesex")
    page = reader.open("/books")
    page.locator("#words").focus()
    reader.press("middle")
    if not reader.window.scripted:
        reader.press("Enter")
    expect(page.locator("#books > [data-row]")).to_have_count(2)
    reader.click(reader.link("Middlemarch"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Middlemarch")
    assert reader.clicks == 1


@pytest.mark.parametrize("start", ["/", "/books"])
def test_a_book_is_found_and_opened_by_keys(typist: Reader, start: str) -> None:
    book = typist.add("Middlemarch")
    page = typist.open(start)
    typist.press("/", "middlemar", "Enter")
    page.wait_for_url(f"**/books/{book}")


def test_a_search_finds_books_while_it_is_typed(typist: Reader) -> None:
    typist.add("Middlemarch")
    page = typist.open("/books")
    typist.press("/", "middlem")
    expect(page.get_by_role("heading", name="Volume 311", exact=True)).to_have_count(0)
    expect(page.locator("#words")).to_be_focused()
    expect(page.locator("#words")).to_have_value("middlem")
    expect(page.locator("#said")).to_have_text("One book")
    page.wait_for_url("**q=middlem")


def tagged(reader: Reader, tag: str) -> int:
    """Return how many books have a tag."""
    return int(reader.client.get(f"/books?tag={tag}&limit=1").headers["bookshelf-count"])


def test_all_found_books_are_tagged_with_four_clicks(reader: Reader) -> None:
    tag = f"set-{WINDOWS.index(reader.window)}"
    page = reader.open("/books?q=volume")
    reader.click(reader.link("Select"))
    reader.click(page.get_by_label("all 312 matching"))
    reader.click(page.get_by_label("Tag, list, stars, format or series"))
    reader.press(tag)
    reader.click(reader.button("Save", page.locator("#selection")))
    until(lambda: tagged(reader, tag) == 312, "all found books have the tag")
    assert reader.clicks == 4


def test_some_found_books_are_tagged_by_keys(typist: Reader) -> None:
    tag = f"keys-{typist.window.width}"
    page = typist.open("/books?q=volume&view=list")
    typist.press("j", "j", "x")
    expect(page.locator("[data-selected]")).to_have_text("1")
    typist.press("j", "j", "Shift+X")
    expect(page.locator("[data-selected]")).to_have_text("3")
    typist.press("t", tag, "Enter")
    until(lambda: tagged(typist, tag) == 3, "the selected books have the tag")


def test_the_last_change_is_undone_with_one_click(reader: Reader) -> None:
    book = reader.add_open("Dune", pages=412)
    page = reader.open()
    page.locator(f"#far-{book}").fill("99")
    reader.button("Save", page.locator(f"#open-{book}")).click()
    expect(page.get_by_text("page 99 of 412")).to_be_visible()
    reader.clicks = 0
    reader.click(reader.button("Undo"))
    expect(page.locator("#notice")).to_contain_text("Taken back.")
    assert page.get_by_text("page 99 of 412").count() == 0
    assert reader.clicks == 1


def test_the_last_change_is_undone_by_a_key(typist: Reader) -> None:
    typist.add_open("Dune", pages=412)
    page = typist.open()
    typist.press("p", "98", "Enter")
    expect(page.get_by_text("page 98 of 412")).to_be_visible()
    typist.press("u")
    expect(page.locator("#notice")).to_contain_text("Taken back.")
    assert page.get_by_text("page 98 of 412").count() == 0


def up_next(reader: Reader) -> list[str]:
    """Put three books on the list of what comes next; return their ids."""
    books = [reader.add(title) for title in ("First", "Second", "Third")]
    for book in books:
        reader.client.send("PUT", f"/lists/up-next/books/{book}", {})
    return books


def sequence(reader: Reader) -> list[str]:
    """Return the titles on the list of what comes next."""
    found = reader.client.get("/lists/up-next").json["entries"]
    return [str(entry["book"]["title"]) for entry in found]


def test_a_book_moves_up_with_one_click(reader: Reader) -> None:
    up_next(reader)
    page = reader.open("/up-next")
    reader.click(page.get_by_role("button", name="Up: Third"))
    expect(page.locator("#notice")).to_contain_text("Moved.")
    assert sequence(reader) == ["First", "Third", "Second"]
    assert reader.clicks == 1


def test_a_book_is_dragged_to_the_first_place(typist: Reader) -> None:
    first, _, third = up_next(typist)
    page = typist.open("/up-next")
    page.locator(f"#entry-{third} .handle").hover()
    page.mouse.down()
    above = page.locator(f"#entry-{first}").bounding_box()
    assert above is not None
    page.mouse.move(above["x"] + 20, above["y"] + 4, steps=12)
    page.mouse.up()
    expect(page.locator("#notice")).to_contain_text("Moved.")
    assert sequence(typist) == ["Third", "First", "Second"]


def test_a_book_moves_up_by_keys_again_and_again(typist: Reader) -> None:
    third = up_next(typist)[2]
    page = typist.open(f"/up-next#entry-{third}")
    while not page.get_by_role("button", name="Up: Third").evaluate("it => it === document.activeElement"):
        typist.press("Tab")
    typist.press("Enter")
    expect(page.locator("#notice")).to_contain_text("Moved.")
    expect(page.get_by_role("button", name="Up: Third")).to_be_focused()
    typist.press("Enter")
    # at the top there is no way up: the focus is on the way down
    expect(page.get_by_role("button", name="Down: Third")).to_be_focused()
    assert sequence(typist) == ["Third", "First", "Second"]


def test_the_picture_of_the_year_is_saved_with_three_clicks(reader: Reader) -> None:
    year = str(datetime.now(UTC).year)
    book = reader.add("Dune")
    reader.client.post(f"/books/{book}/readings", {"end": "finished", "ended": f"{year}-01"})
    page = reader.open()
    reader.click(reader.link("Stats"))
    reader.click(page.get_by_role("link", name=f"{year} ").first)
    if reader.window.scripted:
        with page.expect_download() as saved:
            reader.click(reader.link("Save picture"))
        assert saved.value.suggested_filename == f"{year}.png"
    else:
        reader.click(reader.link("Open as SVG"))
        page.wait_for_url(f"**/stats/{year}/poster.svg*")
        assert "My year in books" in page.content()
    assert reader.clicks == 3


def test_the_picture_of_the_year_is_saved_by_keys(typist: Reader) -> None:
    year = datetime.now(UTC).year
    book = typist.add("Dune")
    typist.client.post(f"/books/{book}/readings", {"end": "finished", "ended": f"{year}-01"})
    page = typist.open()
    typist.press("g", "t")
    page.wait_for_url("**/stats")
    typist.press("Enter")
    page.wait_for_url(f"**/stats/{year}")
    expect(page.locator("[data-save-picture]")).to_be_focused()
    with page.expect_download() as saved:
        typist.press("Enter")
    assert saved.value.suggested_filename == f"{year}.png"


def test_a_thousand_books_are_brought_with_two_clicks(reader: Reader) -> None:
    page = reader.open()
    if reader.window.scripted:
        reader.drop("library.csv", library(reader.window))
    else:
        page.goto(f"{reader.shelf.note.url}/import")
        page.get_by_label("Drop a file here, or choose one").set_input_files(
            {"name": "library.csv", "mimeType": "text/csv", "buffer": library(reader.window)}
        )
        reader.clicks += 1
        reader.click(reader.button("Preview"))
    reader.click(reader.button("Import 1,000 books"))
    expect(page.get_by_role("heading", level=1)).to_have_text("1,000 books added")
    assert reader.clicks == (2 if reader.window.scripted else 3)


def test_a_library_is_brought_by_keys(typist: Reader) -> None:
    page = typist.open("/import")
    content = library(Window(typist.window.width + 1), count=100)
    file = FilePayload(name="library.csv", mimeType="text/csv", buffer=content)
    # registered before a key is pressed: the browser has to know by then that the dialog is not to be shown
    page.once("filechooser", lambda chooser: chooser.set_files(file))
    while not page.locator("#file").evaluate("it => it === document.activeElement"):
        typist.press("Tab")
    typist.press("Enter")
    expect(typist.button("Import 100 books")).to_be_focused()
    typist.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("100 books added")
