"""The page of the books that are off the shelf, over a real shelf."""

import re

from support.pages import Pages
from support.shelf import Shelf


async def test_a_removed_book_is_listed_and_put_back_from_there(pages: Pages, shelf: Shelf) -> None:
    assert "No book is off the shelf" in (await pages.get("/books/removed")).words
    for book in ("dune", "emma"):
        await shelf.add(id=book, title=book.title(), author="Somebody")
    await shelf.send("DELETE", "/books/dune")
    await shelf.caught_up()
    assert 'href="/books/removed"' in (await pages.get("/changes")).html
    assert 'href="/books/removed"' in (await pages.get("/books")).html
    page = await pages.get("/books/removed")
    assert "Dune" in page.words
    assert "Emma" not in page.words
    page = await pages.submit("/books/dune/restore", {"_key": page.value("_key"), "_back": "/books/removed"})
    assert "The book is back on the shelf." in page.words
    assert "No book is off the shelf" in page.words
    assert (await shelf.send("GET", "/books/dune")).status == 200


async def test_many_removed_books_are_paged(pages: Pages, shelf: Shelf) -> None:
    for number in range(61):
        await shelf.add(id=f"b{number:02}", title=f"Volume {number:02}", author="Ada Example")
        await shelf.send("DELETE", f"/books/b{number:02}")
    await shelf.caught_up()
    page = await pages.get("/books/removed")
    assert "61 books" in page.words
    assert "Volume 60" not in page.words
    following = re.search(r'href="(/books/removed\?after=[^"]+)"', page.html)
    assert following is not None
    assert "Volume 60" in (await pages.get(following[1])).words
