"""The shelf: all books as covers, with search, a page at a time."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.site.api_adapters import target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

#: Books on one page of the shelf.
PAGE = 60


class ShelfQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which books: those with these words, from the cursor on."""

    q: str = ""
    after: str = ""


class ShelfModel(Model):
    """The shelf: its books, how many there are in all, the words they were found by, and the next page."""

    books: tuple[BookTile, ...]
    count: int
    words: str
    next: str | None


async def show_books(request: PageRequest) -> Page:
    """Show one page of the books."""
    asked: ShelfQuery = request.query
    answer = await request.api.get(target("/books", q=asked.q, after=asked.after, limit=PAGE, sort="-added"))
    return Page("books.html", _shelf(answer.body, answer.total, asked.q, answer.cursor), live=("readings",))


def _shelf(books: Iterable[Mapping[str, Any]], count: int, words: str, after: str | None) -> ShelfModel:
    following = None if after is None else target("/books", q=words, after=after)
    return ShelfModel(books=tuple(map(book_tile, books)), count=count, words=words, next=following)


def _examples() -> Mapping[str, Page]:
    states = ("finished", "reading", "unread")
    usual = [
        {"id": str(n), "title": title, "author": author, "state": states[n % 3], "stars": stars}
        for n, (title, author, stars) in enumerate(_SAMPLE)
    ]
    title = "The Strange Case of Dr Jekyll and Mr Hyde, with an Account of Its Origins and Long Afterlife "
    long = {"id": "long", "title": title * 2, "author": "Robert Louis Stevenson and many other people"}
    many: list[Mapping[str, Any]] = [
        long,
        *({**book, "id": f"{book['id']}-{n}"} for n in range(6) for book in usual),
    ]
    return {
        "usual": Page("books.html", _shelf(usual, len(usual), "", None)),
        "empty": Page("books.html", _shelf([], 0, "", None)),
        "nothing found": Page("books.html", _shelf([], 0, "dune", None)),
        "long": Page("books.html", _shelf(many, 10_000, "", "cursor")),
    }


_SAMPLE = (
    ("Dune", "Frank Herbert", 5.0),
    ("Beloved", "Toni Morrison", 4.5),
    ("The Left Hand of Darkness", "Ursula K. Le Guin", 4.0),
    ("Middlemarch", "George Eliot", None),
    ("The Name of the Rose", "Umberto Eco", 5.0),
    ("Never Let Me Go", "Kazuo Ishiguro", 4.5),
    ("三体", "刘慈欣", 5.0),
    ("ألف ليلة وليلة", "مجهول", None),
    ("Donaudampfschifffahrtsgesellschaftskapitän", "Ödön Müller", 3.0),
)


PAGES = (
    PageRoute(
        "/books",
        get=show_books,
        title=_("Your shelf"),
        params=ShelfQuery,
        section="/books",
        examples=_examples,
    ),
)
