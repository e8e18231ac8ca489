"""Adding books over a real shelf: by title, by ISBN, from a list; duplicates are offered first."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.pages import Pages, ShelfApi
from support.shelf import Shelf

from bookshelf.shelf.pages.add import is_isbn, split_author
from bookshelf.shelf.pages.site import SITE


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as running:
        yield running


@pytest.fixture
def pages(shelf: Shelf) -> Pages:
    return Pages(SITE, ShelfApi(shelf), shelf.clock)


async def books(shelf: Shelf) -> list[tuple[str, str]]:
    await shelf.caught_up()
    found = (await shelf.send("GET", "/books")).json
    return [(book["title"], book["author"]) for book in found]


@pytest.mark.parametrize(
    ("text", "author", "added"),
    [
        ("Dune", "Frank Herbert", ("Dune", "Frank Herbert")),
        ("Dune by Frank Herbert", "", ("Dune", "Frank Herbert")),
        ("Dune, Herbert", "", ("Dune", "Herbert")),
        ("Dune", "", ("Dune", "")),
        ("978-0-441-17271-9", "", ("ISBN 9780441172719", "")),
        ("ISBN 0441172717", "", ("ISBN 9780441172719", "")),
    ],
)
async def test_a_line_is_a_book(
    pages: Pages, shelf: Shelf, text: str, author: str, added: tuple[str, str]
) -> None:
    answer = await pages.post("/books/add", {"title": text, "author": author, "_key": "k"})
    assert answer.status == 303, answer.words
    assert await books(shelf) == [added]
    assert "Added." in (await pages.get("/books/add")).words


async def test_a_wrong_check_digit_is_named_and_what_was_typed_stays(pages: Pages, shelf: Shelf) -> None:
    answer = await pages.post("/books/add", {"title": "9780441172710", "_key": "k"})
    assert answer.status == 422
    assert "9780441172710 is no ISBN: its check digit is wrong." in answer.words
    assert answer.value("title") == "9780441172710"
    assert await books(shelf) == []


@pytest.mark.parametrize(
    "again", [{"title": "DUNE", "author": "frank herbert"}, {"title": "9780441172719"}, {"title": "Dune"}]
)
async def test_the_same_book_is_offered_before_it_is_added_again(
    pages: Pages, shelf: Shelf, again: dict[str, str]
) -> None:
    await shelf.add(id="dune", title="Dune", author="Frank Herbert", isbn="0-441-17271-7")
    await shelf.caught_up()
    offered = await pages.submit("/books/add", {**again, "_key": "k"})
    assert "You have this" in offered.words
    assert 'href="/books/dune"' in offered.html
    assert len(await books(shelf)) == 1
    await pages.post("/books/add", {**again, "anyway": "on", "_key": "k2"})
    assert len(await books(shelf)) == 2


async def test_a_pasted_list_leaves_out_what_is_there(pages: Pages, shelf: Shelf) -> None:
    await shelf.add(title="Emma", author="Jane Austen")
    await shelf.caught_up()
    text = "Dune, Frank Herbert\n\nEmma, Jane Austen\n9780441172719\n"
    answer = await pages.post("/books/add", {"many": text, "_key": "k"})
    assert answer.status == 303, answer.words
    assert sorted(await books(shelf)) == [
        ("Dune", "Frank Herbert"),
        ("Emma", "Jane Austen"),
        ("ISBN 9780441172719", ""),
    ]
    page = await pages.get("/books/add")
    assert "fill in later" in page.words
    assert page.value("correlation") == "k"


async def test_what_is_typed_finds_books_and_authors_of_the_reader(pages: Pages, shelf: Shelf) -> None:
    await shelf.add(id="dune", title="Dune", author="Frank Herbert")
    await shelf.send("POST", "/books/dune/readings", {"end": "finished", "ended": "2019"})
    await shelf.caught_up()
    page = await pages.get("/books/add?title=du&author=herb")
    assert "finished 2019" in page.words
    assert "Your authors Frank Herbert" in page.words


async def test_the_address_of_the_same_book_keeps_what_was_typed(pages: Pages, shelf: Shelf) -> None:
    await shelf.add(id="dune", title="Dune", author="Frank Herbert")
    await shelf.caught_up()
    answer = await pages.post("/books/add", {"title": "Dune by Frank Herbert", "_key": "k"})
    assert dict(parse_qsl(urlsplit(answer.location).query)) == {
        "title": "Dune",
        "author": "Frank Herbert",
        "same": "dune",
    }


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Dune", ("Dune", "")),
        ("Stand By Me", ("Stand", "Me")),
        ("Der Prozess von Franz Kafka", ("Der Prozess", "Franz Kafka")),
        ("Eats, Shoots, Lynne Truss", ("Eats, Shoots", "Lynne Truss")),
        (", Herbert", (", Herbert", "")),
    ],
)
def test_a_line_is_split_into_title_and_author(text: str, parts: tuple[str, str]) -> None:
    assert split_author(text) == parts


@pytest.mark.parametrize(
    ("digits", "right"),
    [("9780441172719", True), ("9780441172718", False), ("0441172717", True), ("080442957X", True)],
)
def test_the_check_digit_of_an_isbn(digits: str, *, right: bool) -> None:
    assert is_isbn(digits) is right
