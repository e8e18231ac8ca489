"""The books that were taken off the shelf: each can be put back."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.site.api_adapters import target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

_PAGE = 60


class RemovedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """From which cursor on."""

    after: str = ""


class RemovedModel(Model):
    """Removed books by title, how many there are in all, and the address of the next ones."""

    books: tuple[BookTile, ...]
    count: int
    next: str | None


async def show_removed(request: PageRequest) -> Page:
    """Show a page of the removed books."""
    asked: RemovedQuery = request.query
    path = target("/books", removed="true", sort="title", limit=_PAGE, after=asked.after)
    return _page(await request.api.get(path))


def _page(answer: ApiAnswer) -> Page:
    following = None if answer.cursor is None else target("/books/removed", after=answer.cursor)
    model = RemovedModel(books=tuple(map(book_tile, answer.body)), count=answer.total, next=following)
    return Page("removed.html", model, live=("readings",))


def _examples() -> Mapping[str, Page]:
    usual = [
        {"id": "dune", "title": "Dune", "author": "Frank Herbert"},
        {"id": "santi", "title": "三体", "author": "刘慈欣", "language": "zh"},
    ]
    long = {
        "id": "long",
        "title": "The Strange Case of Dr Jekyll " * 30,
        "author": "Robert Louis Stevenson " * 8,
    }
    many = [{**usual[0], "id": f"dune-{number}"} for number in range(_PAGE)]

    def shown(books: Sequence[Mapping[str, Any]], count: int, **headers: str) -> Page:
        return _page(ApiAnswer(200, {"Bookshelf-Count": str(count), **headers}, books))

    return {
        "usual": shown(usual, 2),
        "empty": shown([], 0),
        "long": shown([long, *usual], 3),
        "large": shown(many, 10_000, Link='</books?after=cursor>; rel="next"'),
    }


PAGES = (
    PageRoute(
        "/books/removed",
        get=show_removed,
        title=_("Books off the shelf"),
        params=RemovedQuery,
        section="/books",
        examples=_examples,
    ),
)
