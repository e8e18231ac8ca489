"""The pages of lists: all lists, one list in its order, and up next, which is one of them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.shelf.field_types import Line
from bookshelf.shelf.lists import UP_NEXT, list_named
from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.shelf.pages.step import StepModel, step_model
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

#: Entries on one page; those that are read at a time.
_PAGE, _READ = 100, 1000

NOTICES: Mapping[str, str] = {
    "list-made": _("The list was made."),
    "list-there": _("You had this list already."),
    "list-named": _("The list has its new name."),
    "list-removed": _("The list was removed."),
    "moved": _("Moved."),
    "off-list": _("Taken off the list."),
}


class ListCard(msgspec.Struct, frozen=True, kw_only=True):
    """A list among all: its address, its name, which is empty for up-next, and the number of its books."""

    address: str
    name: str
    count: int


class ListsModel(Model):
    """All lists."""

    lists: tuple[ListCard, ...]


class NameForm(Form):
    """The name of a list."""

    name: Annotated[Line, Meta(examples=["Holidays"])]


def address_of(list_id: str) -> str:
    """Return the address of a list."""
    return "/up-next" if list_id == UP_NEXT else f"/lists/{segment(list_id)}"


async def show_lists(request: PageRequest) -> Page:
    """Show all lists."""
    answer = await request.api.get("/lists")
    return Page("lists.html", _lists(answer.body), live=("lists",))


def _lists(lists: Sequence[Mapping[str, Any]]) -> ListsModel:
    cards = (
        ListCard(address=address_of(str(one["id"])), name=str(one["name"]), count=int(one["count"]))
        for one in lists
    )
    return ListsModel(lists=tuple(cards))


async def make_list(request: PageRequest, form: NameForm) -> Redirect:
    """Make a list, and lead to it; names that differ only in case are one list."""
    same = list_named((await request.api.get("/lists?limit=1000")).body, form.name)
    if same is not None:
        return Redirect(address_of(same), notice="list-there")
    made = await request.api.post("/lists", form.to_body())
    return Redirect(address_of(str(made.body["id"])), notice="list-made", change=made.change)


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A book on a list, and its place there, from 1."""

    place: int
    book: BookTile


class ListModel(Model):
    """One list: a page of its books in its order, how many there are, and the pages beside this one."""

    id: str
    address: str
    name: str
    entries: tuple[Placed, ...]
    count: int
    previous: str | None
    next: str | None


def _list_id(request: PageRequest) -> str:
    return str(request.path.get("id", UP_NEXT))


async def _read(request: PageRequest) -> tuple[Mapping[str, Any], list[Mapping[str, Any]], str | None]:
    """Return a list, all of its entries, and its entity tag."""
    list_id = _list_id(request)
    entries: list[Mapping[str, Any]] = []
    after: str | None = ""
    while after is not None:
        answer = await request.api.get(target(f"/lists/{segment(list_id)}", limit=_READ, after=after))
        entries += answer.body["entries"]
        after = answer.cursor
    return answer.body, entries, answer.version


async def show_list(request: PageRequest) -> Page:
    """Show a list in its order."""
    shown, entries, version = await _read(request)
    text = request.parameters.get("from", ("1",))[0]
    first = int(text) if text.isdecimal() and len(text) <= 6 else 1  # noqa: PLR2004 (a number of a place)
    return _page(str(shown["id"]), str(shown["name"]), entries, first, version)


def _page(
    list_id: str, name: str, entries: Sequence[Mapping[str, Any]], first: int = 1, version: str | None = "1"
) -> Page:
    address, start = address_of(list_id), max(first - 1, 0)
    part = entries[start : start + _PAGE]
    model = ListModel(
        id=list_id,
        address=address,
        name=name,
        entries=tuple(
            Placed(place=place, book=book_tile(entry["book"]))
            for place, entry in enumerate(part, start=start + 1)
        ),
        count=len(entries),
        previous=target(address, from_=max(start - _PAGE, 0) + 1) if start else None,
        next=target(address, from_=start + _PAGE + 1) if start + _PAGE < len(entries) else None,
    )
    live = (f"list:{list_id}",)
    form = NameForm(name=name or "-")
    return Page("list.html", model, title=name or None, live=live, form=form, version=version)


async def rename_list(request: PageRequest, form: NameForm) -> Redirect:
    """Give a list another name."""
    address = address_of(_list_id(request))
    done = await request.api.patch(f"/lists/{segment(_list_id(request))}", form.to_body())
    return Redirect(address, notice="list-named", change=done.change)


async def show_other(request: PageRequest) -> Redirect:
    """Lead to the list: its page has the forms."""
    return Redirect(address_of(_list_id(request)))


async def remove_list(request: PageRequest, _form: None) -> Redirect:
    """Remove a list; its books stay on the shelf."""
    done = await request.api.delete(f"/lists/{segment(_list_id(request))}")
    return Redirect("/lists", notice="list-removed", change=done.change)


async def show_move(request: PageRequest) -> Page | Redirect:
    """Ask for the place that a book moves to, if it was mistyped; else lead to the list."""
    if request.submission is None:
        return await show_other(request)
    book = (await request.api.get(f"/books/{segment(request.path['book'])}")).body
    _, entries, version = await _read(request)
    return _move_page(book, address_of(_list_id(request)), len(entries), version)


class MoveModel(StepModel):
    """A book to move, the address of its list, and how many books are on that."""

    address: str
    count: int


def _move_page(book: Mapping[str, Any], address: str, count: int, version: str | None = "1") -> Page:
    step = step_model(book)
    model = MoveModel(book=step.book, cover=step.cover, address=address, count=count)
    return Page("move.html", model, form=MoveForm(place=1), version=version)


class MoveForm(Form):
    """The place that a book moves to, from 1; 0 takes it off the list."""

    place: Annotated[int, Meta(ge=0, le=100_000)]


async def move_book(request: PageRequest, form: MoveForm) -> Redirect:
    """Move a book to a place of its list, or take it off; the focus stays there, or goes to the next book."""
    list_id, book = _list_id(request), request.path["book"]
    path = f"/lists/{segment(list_id)}/books/{segment(book)}"
    address = address_of(list_id)
    _, entries, _ = await _read(request)
    books = [str(entry["book"]["id"]) for entry in entries]
    others = [name for name in books if name != book]
    former = books.index(book) if book in books else len(others)
    if form.place == 0:
        done = await request.api.delete(path)
        row = f"#entry-{segment(others[min(former, len(others) - 1)])}" if others else ""
        return Redirect(request.back(address) + row, notice="off-list", change=done.change)
    before = min(form.place - 1, len(others))
    done = await request.api.put(path, {"after": others[before - 1] if before else None})
    page = target(address, from_=(form.place - 1) // _PAGE * _PAGE + 1 if form.place > _PAGE else None)
    # the focus stays on the button; at an end of the list it goes to the one that leads back
    is_up = before < former if 0 < before < len(others) else before > 0
    return Redirect(f"{page}#{'up' if is_up else 'down'}-{segment(book)}", notice="moved", change=done.change)


_BOOKS = (
    ("Dune", "Frank Herbert"),
    ("Beloved", "Toni Morrison"),
    ("三体", "刘慈欣"),
    ("ألف ليلة وليلة", "مجهول"),
    ("Middlemarch", "George Eliot"),
    (
        "A History of the World in a Hundred Objects, with an Account of All That Were Lost and Found Again",
        "N. M.",
    ),
)


def _list_examples() -> Mapping[str, Page]:
    books = [
        {"book": {"id": f"b{n}", "title": title, "author": author, "state": "unread"}}
        for n, (title, author) in enumerate(_BOOKS)
    ]
    many = [
        {"book": {**entry["book"], "id": f"m{n}-{entry['book']['id']}"}} for n in range(40) for entry in books
    ]
    name = "Everything that somebody has recommended to me on a train since the summer of 2019 " * 2
    return {
        "usual": _page("a", "Holidays", books),
        "up next": _page(UP_NEXT, "", books),
        "empty": _page("a", "Holidays", []),
        "nothing next": _page(UP_NEXT, "", []),
        "long": _page("a", name, many, 101),
    }


def _lists_examples() -> Mapping[str, Page]:
    first: Mapping[str, Any] = {"id": UP_NEXT, "name": "", "count": 4}
    long = "A list with a name that goes on and on " * 5
    many = [
        {"id": f"l{n}", "name": f"{long if not n else 'Holidays'} {n}", "count": n * 37} for n in range(60)
    ]
    return {
        "usual": Page("lists.html", _lists([first, *many[:3]])),
        "empty": Page("lists.html", _lists([{**first, "count": 0}])),
        "long": Page("lists.html", _lists([first, *many])),
    }


PAGES = (
    PageRoute(
        "/lists",
        get=show_lists,
        post=make_list,
        form=NameForm,
        title=_("Lists"),
        section="/lists",
        examples=_lists_examples,
    ),
    PageRoute("/up-next", get=show_list, title=_("Up next"), section="/lists"),
    PageRoute(
        "/lists/{id}",
        get=show_list,
        post=rename_list,
        form=NameForm,
        title=_("Up next"),
        section="/lists",
        examples=_list_examples,
    ),
    PageRoute("/lists/{id}/remove", get=show_other, post=remove_list, title=_("Remove this list")),
    PageRoute(
        "/lists/{id}/books/{book}",
        get=show_move,
        post=move_book,
        form=MoveForm,
        title=_("Move a book"),
        section="/lists",
        examples=lambda: {
            "usual": _move_page({"id": "b0", "title": "Dune", "author": "Frank Herbert"}, "/up-next", 6)
        },
    ),
)
