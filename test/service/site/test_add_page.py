"""Adding books over a real shelf: by title, by ISBN, from a list; duplicates are offered first."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from support.pages import Pages
from support.shelf import Shelf

from bookshelf.shelf.pages.typed_book import is_isbn, splits


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
        ("Dune - Frank Herbert", "", ("Dune", "Frank Herbert")),
        ("Dune", "", ("Dune", "")),
        ("Stand by Me", "", ("Stand by Me", "")),
        ("Eats, Shoots & Leaves", "", ("Eats, Shoots & Leaves", "")),
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


async def test_the_notice_names_the_book_that_was_added_and_leads_to_its_fields(
    pages: Pages, shelf: Shelf
) -> None:
    page = await pages.submit("/books/add", {"title": "Dune by Herbert", "_key": "k"})
    assert "Added “Dune” by Herbert." in page.words
    (book,) = (await shelf.send("GET", "/books")).json
    assert f'<a class="btn" href="/books/{book["id"]}/edit">Edit</a>' in page.html


async def test_a_title_is_kept_whole_where_the_reader_wants_it(pages: Pages, shelf: Shelf) -> None:
    page = await pages.get("/books/add?title=Rabbit,+Run")
    assert "This will be “Rabbit” by Run." in page.words
    await pages.post("/books/add", {"title": "Rabbit, Run", "whole": "on", "_key": "k"})
    assert await books(shelf) == [("Rabbit, Run", "")]


async def test_a_title_of_the_shelf_is_not_split(pages: Pages, shelf: Shelf) -> None:
    await shelf.add(title="Rabbit, Run", author="John Updike")
    await shelf.caught_up()
    offered = await pages.submit("/books/add", {"title": "Rabbit, Run", "_key": "k"})
    assert "You have this" in offered.words


async def test_an_author_of_the_shelf_is_split_off_however_the_name_is_written(
    pages: Pages, shelf: Shelf
) -> None:
    await shelf.add(title="Beloved", author="bell hooks")
    await shelf.caught_up()
    await pages.post("/books/add", {"title": "All About Love, bell hooks", "_key": "k"})
    assert sorted(await books(shelf)) == [("All About Love", "bell hooks"), ("Beloved", "bell hooks")]


async def test_a_split_that_is_not_made_is_offered(pages: Pages) -> None:
    page = await pages.get("/books/add?title=Stand+by+Me")
    assert "Or is it “Stand” by Me?" in page.words
    assert 'href="/books/add?title=Stand&amp;author=Me"' in page.html


async def test_wrong_lines_of_a_list_are_all_named_and_the_others_are_added(
    pages: Pages, shelf: Shelf
) -> None:
    text = "Dune, Frank Herbert\n9780441172710\n9780441172711\n"
    answer = await pages.post("/books/add", {"many": text, "_key": "k"})
    assert answer.status == 422
    assert "One book was added." in answer.words
    assert "9780441172710 is no ISBN" in answer.words
    assert "9780441172711 is no ISBN" in answer.words
    assert await books(shelf) == [("Dune", "Frank Herbert")]


async def test_the_notice_counts_the_books_of_a_list_and_those_that_were_there(
    pages: Pages, shelf: Shelf
) -> None:
    await shelf.add(title="Emma", author="Jane Austen")
    await shelf.caught_up()
    page = await pages.submit("/books/add", {"many": "Dune\nEmma\nDUNE\nPersuasion\nDune", "_key": "k"})
    assert "Added 3 books. 2 were there already." in page.words


@pytest.mark.parametrize(
    ("text", "title", "author", "is_named"),
    [
        ("Dune by Herbert", "Dune", "Herbert", True),
        ("Dune, Herbert", "Dune", "Herbert", True),
        ("Stand By Me", "Stand", "Me", False),
        ("The Lion, the Witch and the Wardrobe", "The Lion", "the Witch and the Wardrobe", False),
        ("Eats, Shoots & Leaves", "Eats", "Shoots & Leaves", False),
        (
            "Good Omens by Neil Gaiman and Terry Pratchett",
            "Good Omens",
            "Neil Gaiman and Terry Pratchett",
            True,
        ),
        ("Der Prozess von Franz Kafka", "Der Prozess", "Franz Kafka", True),
        ("Faust von Johann Wolfgang von Goethe", "Faust", "Johann Wolfgang von Goethe", True),
        ("Im Herzen von Afrika", "Im Herzen", "Afrika", False),
        ("Eats, Shoots, Lynne Truss", "Eats, Shoots", "Lynne Truss", True),
        ("Faust \u2013 Johann Wolfgang von Goethe", "Faust", "Johann Wolfgang von Goethe", True),
        ("Dune - Messiah", "Dune", "Messiah", False),
        ("\u4e09\u4f53, \u5218\u6148\u6b23", "\u4e09\u4f53", "\u5218\u6148\u6b23", True),
        ("Emma, J. R. R. Tolkien", "Emma", "J. R. R. Tolkien", True),
        ("Ulysses, 1922", "Ulysses", "1922", False),
    ],
)
def test_a_line_can_be_read_as_title_and_author(
    text: str, title: str, author: str, *, is_named: bool
) -> None:
    found = [(split.title, split.author, named) for split, named in splits(text)]
    assert next((split for split in found if split[2]), found[0]) == (title, author, is_named)


@pytest.mark.parametrize("text", ["Dune", ", Herbert", "By Herbert", "Catch-22"])
def test_other_lines_are_titles(text: str) -> None:
    assert list(splits(text)) == []


@pytest.mark.parametrize(
    ("digits", "right"),
    [("9780441172719", True), ("9780441172718", False), ("0441172717", True), ("080442957X", True)],
)
def test_the_check_digit_of_an_isbn(digits: str, *, right: bool) -> None:
    assert is_isbn(digits) is right


async def test_a_second_copy_is_counted_at_the_book_that_is_there(pages: Pages, shelf: Shelf) -> None:
    await shelf.add(id="dune", title="Dune", author="Frank Herbert")
    await shelf.caught_up()
    asked = await pages.get("/books/add?title=Dune&author=Frank+Herbert&same=dune")
    assert "A second copy" in asked.words
    assert "Another edition" in asked.words
    book = await pages.submit("/books/add", {"copy_of": "dune", "_key": "c1"})
    assert "Counted one more copy." in book.words
    await shelf.caught_up()
    assert (await shelf.send("GET", "/books/dune")).json["copies"] == 2
    assert len((await shelf.send("GET", "/books")).json) == 1
