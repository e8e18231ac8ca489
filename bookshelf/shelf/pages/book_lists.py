"""The lists that a book is on: ticked and unticked on one page, with room for a new list."""

import asyncio
from collections.abc import Mapping
from typing import Any

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.shelf.field_types import Line
from bookshelf.shelf.lists import list_named
from bookshelf.shelf.pages.step import book_address, step_done, step_model
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {"listed": _("Saved the lists of the book.")}
_NEAR = 20


class BookListsForm(Form):
    """The ids of the lists that the book is on, and the name of a new one."""

    lists: tuple[str, ...] = ()
    name: Line | None = None


class BookListsModel(Model):
    """A book and all lists: id and name, which is empty for up-next."""

    book: Mapping[str, Any]
    cover: GeneratedCover
    lists: tuple[tuple[str, str], ...]


async def show_lists(request: PageRequest) -> Page:
    """Show the lists that the book is on, among all."""
    answer = await request.api.get(book_address(request))
    lists = (await request.api.get("/lists")).body
    chosen = await _memberships(request, answer.body, [str(one["id"]) for one in lists])
    return _page(answer.body, lists, chosen)


def _page(book: Mapping[str, Any], lists: list[Mapping[str, Any]], chosen: tuple[str, ...]) -> Page:
    step = step_model(book)
    named = tuple((str(one["id"]), str(one["name"])) for one in lists)
    model = BookListsModel(book=book, cover=step.cover, lists=named)
    return Page("book_lists.html", model, form=BookListsForm(lists=chosen))


async def _memberships(request: PageRequest, book: Mapping[str, Any], lists: list[str]) -> tuple[str, ...]:
    """Return the ids of the lists that have the book, which stands near its title in each of them."""
    first = str(book["title"])[:200]
    paths = [target("/books", list=name, sort="title", from_=first, limit=_NEAR) for name in lists]
    answers = await asyncio.gather(*(request.api.get(path) for path in paths))
    has = (any(one["id"] == book["id"] for one in answer.body) for answer in answers)
    return tuple(name for name, is_on in zip(lists, has, strict=True) if is_on)


async def save_lists(request: PageRequest, form: BookListsForm) -> Redirect:
    """Put the book on the lists that were ticked, and take it off those that were unticked."""
    address = book_address(request)
    book = (await request.api.get(address)).body
    known = (await request.api.get("/lists?limit=1000")).body
    lists = [str(one["id"]) for one in known]
    before = set(await _memberships(request, book, lists))
    wanted = [name for name in form.lists if name in lists]
    if form.name:
        same = list_named(known, form.name)
        wanted.append(same or str((await request.api.post("/lists", {"name": form.name})).body["id"]))
    entry = segment(book["id"])
    done = None
    for name in (name for name in wanted if name not in before):
        done = await request.api.put(f"/lists/{segment(name)}/books/{entry}", {})
    for name in sorted(before - set(wanted)):
        done = await request.api.delete(f"/lists/{segment(name)}/books/{entry}")
    return Redirect(request.back(address)) if done is None else step_done(request, "listed", done)


def _examples() -> Mapping[str, Page]:
    book = {"id": "middlemarch", "title": "Middlemarch", "author": "George Eliot"}
    lists: list[Mapping[str, Any]] = [{"id": "up-next", "name": ""}, {"id": "a", "name": "Holidays"}]
    many = [*lists, *({"id": f"l{n}", "name": f"A list with a rather long name {n} " * 4} for n in range(60))]
    return {
        "usual": _page(book, lists, ("up-next",)),
        "empty": _page(book, lists[:1], ()),
        "long": _page({**book, "title": "The Life and Adventures of " * 30}, many, ("a", "l3")),
    }


PAGES = (
    PageRoute(
        "/books/{id}/lists",
        get=show_lists,
        post=save_lists,
        form=BookListsForm,
        title=_("Lists"),
        examples=_examples,
        section="/books",
    ),
)
