"""The shelf over a real shelf: search, filters, views, pages, and changes of many books with one Undo."""

import gzip
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest
from support.pages import Pages, ShownPage
from support.shelf import Shelf

from bench import sample_books

BOOKS: tuple[dict[str, Any], ...] = (
    {"id": "dune", "title": "Dune", "author": "Frank Herbert", "tags": ["sand"], "pages": 412},
    {"id": "emma", "title": "Emma", "author": "Jane Austen", "tags": ["classic"]},
    {"id": "ulysses", "title": "Ulysses", "author": "James Joyce", "tags": ["classic", "dublin"]},
)
#: How the list shows an author; the filters have the name too.
AUTHOR = '<td dir="auto">Frank Herbert'


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as running:
        for book in BOOKS:
            await running.add(**book)
        await running.caught_up()
        yield running


def shown(page: ShownPage) -> list[str]:
    """Return the ids of the books that a page shows."""
    assert page.status == 200, page.words
    return re.findall(r'id="book-([a-z]+)"', page.html)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"dune", "emma", "ulysses"}),
        ("q=dun", {"dune"}),
        ("tag=classic", {"emma", "ulysses"}),
        ("tag=classic&tag=dublin", {"ulysses"}),
        ("state=finished", set()),
        ("author=Jane+Austen&view=list", {"emma"}),
        ("q=joyce&view=spines", {"ulysses"}),
        ("has=pages", {"dune"}),
    ],
)
async def test_a_filter_shows_the_books_that_it_matches(pages: Pages, query: str, found: set[str]) -> None:
    assert set(shown(await pages.get(f"/books?{query}"))) == found


async def test_a_page_of_sixty_covers_is_small(pages: Pages, shelf: Shelf) -> None:
    for number in range(57):
        book = sample_books.book(number * 7)
        await shelf.add(id=f"b{number}", title=book.title, author=book.author)
    await shelf.caught_up()
    page = (await pages.get("/books")).html.encode()
    assert page.count(b'id="book-') == 60
    assert len(page) <= 40_000
    assert len(gzip.compress(page, 6)) <= 8_000


async def grow(shelf: Shelf, count: int) -> None:
    """Add books until there are `count`."""
    for number in range(count - len(BOOKS)):
        await shelf.add(id="b" + chr(97 + number // 26) + chr(97 + number % 26), title=f"Volume {number}")
    await shelf.caught_up()


def more(page: ShownPage) -> dict[str, str]:
    """Return the attributes of the link to the next books; none if there are no more."""
    found = re.search(r'id="books-more"[^>]*>(?:<td[^>]*>)?<a((?:[^>"]|"[^"]*")*)>', page.html)
    attributes = re.findall(r'([a-z-]+)="([^"]*)"', found[1]) if found else ()
    return {name: unescape(value) for name, value in attributes}


async def test_a_document_grows_to_six_hundred_books(pages: Pages, shelf: Shelf) -> None:
    await grow(shelf, 61)
    for before, grows in ((0, True), (480, True), (540, False)):
        link = more(await pages.get(f"/books?shown={before}"))
        assert ("hx-get" in link) is grows
        assert (f"shown={before + 60}" in link["href"]) is grows


@pytest.mark.parametrize("view", ["covers", "list", "spines"])
async def test_the_address_of_a_document_that_has_grown_shows_all_of_its_books(
    pages: Pages, shelf: Shelf, view: str
) -> None:
    await grow(shelf, 190)
    # the document begins at a cursor, as the one after 600 books does
    page = await pages.get(more(await pages.get(f"/books?view={view}&shown=540"))["href"])
    grown = shown(page)
    while link := more(page):
        page = await pages.get(link["hx-get"])
        grown += shown(page)
        again = await pages.get(link["hx-replace-url"])
        assert shown(again) == grown
        assert more(again) == more(page)
    assert len(grown) == 130


async def test_no_address_shows_more_than_six_hundred_books(pages: Pages, shelf: Shelf) -> None:
    await grow(shelf, 61)
    for loaded, found in ((-5, 60), (10**9, 61)):
        assert len(shown(await pages.get(f"/books?loaded={loaded}"))) == found


async def test_the_panel_has_each_language_and_format_once_by_its_name(pages: Pages, shelf: Shelf) -> None:
    for number, language in enumerate(("eng", "en-US", "English", "de", "Quenya")):
        await shelf.add(id="l" + "abcde"[number], title=f"L{number}", language=language, format="ebook")
    await shelf.caught_up()
    page = await pages.get("/books?language=eng")
    assert set(shown(page)) == {"la", "lb", "lc"}
    assert "Language: English" in page.words
    panel = page.html.partition('id="filter-language"')[2].partition("</select>")[0]
    assert re.findall(r'<option value="([^"]*)"( selected)?>([^<]*)', panel) == [
        ("", "", "any"),
        ("en", " selected", "English (3)"),
        ("Quenya", "", "Quenya (1)"),
        ("de", "", "German (1)"),
    ]
    assert '<option value="ebook">E-book (3)</option>' in page.html
    assert set(shown(await pages.get("/books?language=Quenya"))) == {"le"}


async def test_view_sort_and_columns_are_kept_for_other_pages_and_tabs(pages: Pages) -> None:
    await pages.get("/books?view=list")
    await pages.get("/books?sort=-title")
    await pages.get("/books?columns=-&columns=author&columns=pages")
    page = await pages.get("/books")
    assert shown(page) == ["ulysses", "emma", "dune"]
    assert AUTHOR in page.html
    assert "412" in page.html
    heads = re.findall(r'<th scope="col"[^>]*>.*?</th>', page.html)
    assert [
        name for name in ("Author", "Series", "State", "Pages") if any(name in head for head in heads)
    ] == [
        "Author",
        "Pages",
    ]
    await pages.get("/books?view=nonsense&sort=nonsense&columns=nonsense")
    assert shown(await pages.get("/books")) == ["ulysses", "emma", "dune"]


async def test_no_column_beside_the_title_may_be_left(pages: Pages) -> None:
    page = await pages.get("/books?view=list&columns=-")
    assert "<td" in page.html
    assert AUTHOR not in page.html
    assert AUTHOR not in (await pages.get("/books")).html


async def test_settings_have_the_columns_and_lead_to_goal_and_files(pages: Pages) -> None:
    settings = await pages.get("/settings")
    for address in ("/goal", "/import", "/export", "/changes"):
        assert f'<li><a href="{address}">' in settings.html
    assert (await pages.get("/goal")).location.startswith("/stats/")
    await pages.submit(
        "/settings", {"_version": "settings", "view": "list", "columns": ["stars", "nonsense"]}
    )
    page = await pages.get("/books")
    assert "<td" in page.html
    assert AUTHOR not in page.html
    assert '<table class="table book-table">' in page.html


async def test_chips_lead_to_up_next_and_to_decades(pages: Pages, shelf: Shelf) -> None:
    await shelf.send("PUT", "/lists/up-next/books/emma", {})
    await shelf.send("PATCH", "/books/dune", {"published": "1965"})
    await shelf.caught_up()
    page = await pages.get("/books")
    assert "Up next 1" in page.words
    assert "1960\N{EN DASH}1969 1" in page.words
    assert shown(await pages.get("/books?list=up-next")) == ["emma"]
    assert shown(await pages.get("/books?published=1960-1969")) == ["dune"]


async def test_books_are_sorted_by_a_link(pages: Pages) -> None:
    assert shown(await pages.get("/books?sort=title")) == ["dune", "emma", "ulysses"]
    assert shown(await pages.get("/books?sort=-title&view=list")) == ["ulysses", "emma", "dune"]


async def test_an_empty_result_offers_to_remove_each_filter(pages: Pages) -> None:
    page = await pages.get("/books?q=dune&tag=classic")
    assert "No book matches all of these" in page.words
    assert "Remove Tag: classic" in page.words
    assert 'href="/books?q=dune"' in page.html


async def test_a_page_that_does_not_exist_is_refused(pages: Pages) -> None:
    assert (await pages.get("/books?view=carousel")).status == 422


async def change(pages: Pages, shelf: Shelf, target: str, **fields: Any) -> ShownPage:  # noqa: ANN401 (a form)
    await pages.post(target, {"_key": "k" + fields["action"], **fields})
    await shelf.caught_up()
    return await pages.get("/books")


async def tags(shelf: Shelf) -> dict[str, list[str]]:
    await shelf.caught_up()
    books = (await shelf.send("GET", "/books")).json
    return {book["id"]: sorted(book.get("tags") or ()) for book in books}


async def test_selected_books_get_a_tag_and_one_undo_takes_it_back(pages: Pages, shelf: Shelf) -> None:
    before = await tags(shelf)
    page = await change(pages, shelf, "/books?select=1", book=["dune", "emma"], action="tag", value="gift")
    assert "Changed the selected books." in page.words
    assert (await tags(shelf))["emma"] == ["classic", "gift"]
    assert "gift" not in (await tags(shelf))["ulysses"]
    correlation = page.value("correlation")
    undone = await pages.submit("/changes", {"correlation": correlation, "_key": correlation})
    assert undone.status == 200, undone.words
    assert await tags(shelf) == before


async def test_all_matching_books_are_changed(pages: Pages, shelf: Shelf) -> None:
    await change(
        pages, shelf, "/books?tag=classic&select=1", everything="on", action="untag", value="classic"
    )
    assert await tags(shelf) == {"dune": ["sand"], "emma": [], "ulysses": ["dublin"]}


@pytest.mark.parametrize(
    ("action", "value", "field", "expected"),
    [
        ("stars", "4,5", "stars", 4.5),
        ("finished", "", "state", "finished"),
        ("format", "ebook", "format", "ebook"),
        ("series", "Dune", "series", [{"name": "Dune"}]),
    ],
)
async def test_a_selected_book_is_changed(
    pages: Pages, shelf: Shelf, action: str, value: str, field: str, expected: object
) -> None:
    await change(pages, shelf, "/books", book=["dune"], action=action, value=value)
    assert (await shelf.send("GET", "/books/dune")).json[field] == expected


async def test_selected_books_come_on_a_list_that_is_made_for_them(pages: Pages, shelf: Shelf) -> None:
    await change(pages, shelf, "/books", book=["dune", "emma"], action="list", value="Holidays")
    lists = (await shelf.send("GET", "/lists")).json
    assert [(one["name"], one["count"]) for one in lists] == [("", 0), ("Holidays", 2)]


async def test_selected_books_are_removed(pages: Pages, shelf: Shelf) -> None:
    page = await change(pages, shelf, "/books", book=["dune", "emma"], action="remove")
    assert shown(page) == ["ulysses"]


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"action": "tag", "value": "x"}, "Select a book first."),
        ({"action": "tag", "book": "dune"}, "Add the tag: Fill this in."),
        ({"action": "burn", "book": "dune"}, "Choose one of these."),
        ({"action": "stars", "book": "dune", "value": "many"}, "Write a number, like 4 or 4.5."),
    ],
)
async def test_a_change_that_is_not_possible_is_explained(
    pages: Pages, fields: dict[str, str], detail: str
) -> None:
    answer = await pages.post("/books?select=1", {"_key": "k", **fields})
    assert answer.status == 422
    assert detail in answer.words


async def test_letters_mark_the_present_one_and_lead_to_digits_and_other_scripts(
    pages: Pages, shelf: Shelf
) -> None:
    for number in range(118):
        await shelf.add(id=f"b{number}", title=f"Volume {number}", author="Ada Example")
    await shelf.add(id="orwell", title="1984", author="George Orwell")
    await shelf.caught_up()
    assert "Other scripts" not in (await pages.get("/books?sort=title")).words
    await shelf.add(id="santi", title="\u4e09\u4f53", author="\u5218\u6148\u6b23")
    await shelf.caught_up()
    page = await pages.get("/books?sort=title&from=v")
    assert re.findall(r'aria-current="true"[^>]*>([A-Z])</a>', page.html) == ["V"]
    assert "From V on. Show them from the beginning" in page.words
    assert shown(page) == []  # volumes have other ids
    page = await pages.get("/books?sort=title&from=0")
    assert shown(page)[0] == "orwell"
    assert "From 0\N{EN DASH}9 on." in page.words
    link = re.search(r'href="([^"]+)"[^>]*>Other scripts</a>', page.html)
    assert link is not None
    page = await pages.get(link[1].replace("&amp;", "&"))
    assert shown(page) == ["santi"]
    assert "From Other scripts on." in page.words
