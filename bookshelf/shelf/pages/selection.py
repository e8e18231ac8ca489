"""Changes of many books at once: tag, list, stars, state, format, series, remove; one Undo takes all back."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bookshelf.shelf.limits import NAME_MAX, TAG_MAX
from bookshelf.shelf.pages.bulk import CORRELATION, Item, correlation_of, is_done, item, send_bulk
from bookshelf.shelf.pages.shelf_filters import ShelfQuery, address, filters_of, sort_of
from bookshelf.site.api_adapters import FieldFault, segment, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {"changed-many": _("Changed the selected books.")}
#: What can be done with the selected books.
ACTIONS: tuple[tuple[str, str], ...] = (
    ("tag", _("Add the tag")),
    ("untag", _("Take the tag off")),
    ("list", _("Put on the list")),
    ("stars", _("Give stars")),
    ("finished", _("Mark as finished")),
    ("format", _("Set the format")),
    ("series", _("Set the series")),
    ("remove", _("Take off the shelf")),
)
#: Actions without a value.
_BARE = frozenset({"finished", "remove"})
_PAGE, _AT_ONCE = 1000, 20
_UP_NEXT = "up-next"


class SelectionForm(Form):
    """The selected books, or all that the filters match; what is done with them, and its value."""

    book: tuple[str, ...] = ()
    everything: bool = False
    action: str = ""
    value: str = ""


async def change_books(request: PageRequest, form: SelectionForm) -> Redirect:
    """Change the selected books. Raises `FormRefused`, `ApiProblem`."""
    asked: ShelfQuery = request.query
    _check(request, form)
    books = await _matching(request, asked) if form.everything else await _chosen(request, form.book)
    correlation = correlation_of(request)
    path, items = await _commands(request, form, books, correlation)
    results = await send_bulk(request, path, items, correlation)
    refused = sum(not is_done(result) for result in results)
    if refused and refused == len(results):
        detail = request.translate(_("None of the books was changed; the value is not possible for them."))
        raise FormRefused(FieldFault("value", detail))
    return Redirect(address(asked, select=False), notice="changed-many", correlation=correlation)


def _check(request: PageRequest, form: SelectionForm) -> None:
    if not form.book and not form.everything:
        raise FormRefused(FieldFault("book", request.translate(_("Select a book first."))))
    if form.action not in dict(ACTIONS):
        raise FormRefused(FieldFault("action", request.translate(_("Choose one of these."))))
    if form.action not in _BARE and not form.value:
        raise FormRefused(FieldFault("value", request.translate(_("Fill this in."))))
    most = TAG_MAX if form.action == "tag" else NAME_MAX
    if len(form.value) > most:
        detail = request.translate(_("Write %(most)s characters at most.")) % {"most": most}
        raise FormRefused(FieldFault("value", detail))


async def _matching(request: PageRequest, asked: ShelfQuery) -> list[Mapping[str, Any]]:
    """Return all books that the filters match, in the sort of the shelf."""
    books: list[Mapping[str, Any]] = []
    after: str | None = ""
    while after is not None:
        path = target("/books", **filters_of(asked), sort=sort_of(asked), limit=_PAGE, after=after)
        answer = await request.api.get(path)
        books += answer.body
        after = answer.cursor
    return books


async def _chosen(request: PageRequest, ids: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the books with these ids; those that are gone are left out."""
    books: list[Mapping[str, Any]] = []
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        answers = await asyncio.gather(*(request.api.try_get(f"/books/{segment(name)}") for name in part))
        books += [answer.body for answer in answers if answer is not None]
    return books


async def _commands(
    request: PageRequest, form: SelectionForm, books: Sequence[Mapping[str, Any]], correlation: str
) -> tuple[str, list[Item]]:
    """Return the path of the bulk request and its commands. Raises `FormRefused`, `ApiProblem`."""
    paths = {book["id"]: f"/books/{segment(book['id'])}" for book in books}
    match form.action:
        case "list":
            name = await _list_named(request, form.value, correlation)
            path = f"/lists/{segment(name)}/books"
            return "/lists/bulk", [item("PUT", f"{path}/{segment(book['id'])}") for book in books]
        case "stars":
            stars = _stars(request, form.value)
            rated = [item("PUT", f"{path}/rating", {"stars": stars}) for path in paths.values()]
            return "/readings/bulk", rated
        case "finished":
            return "/readings/bulk", [
                item("POST", f"{paths[book['id']]}/readings/current/finished")
                if book.get("state") in {"reading", "paused"}
                else item("POST", f"{paths[book['id']]}/readings", {"end": "finished"})
                for book in books
                if book.get("state") != "finished"
            ]
        case "remove":
            return "/books/bulk", [item("DELETE", path) for path in paths.values()]
    return "/books/bulk", [
        item("PATCH", paths[book["id"]], fields)
        for book in books
        if (fields := _fields(form, book)) is not None
    ]


def _fields(form: SelectionForm, book: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the fields of a book to change; None if it has them already."""
    tags = list(book.get("tags") or ())
    match form.action:
        case "tag":
            return None if form.value in tags else {"tags": [*tags, form.value]}
        case "untag":
            return {"tags": [tag for tag in tags if tag != form.value]} if form.value in tags else None
        case "format":
            return {"format": form.value}
    return {"series": [{"name": form.value}]}


def _stars(request: PageRequest, text: str) -> float:
    try:
        return msgspec.convert(text.replace(",", "."), float, strict=False)
    except msgspec.ValidationError:
        detail = request.translate(_("Write a number, like 4 or 4.5."))
        raise FormRefused(FieldFault("value", detail)) from None


async def _list_named(request: PageRequest, name: str, correlation: str) -> str:
    """Return the id of the list with this name; a new one if there is none. Raises `ApiProblem`."""
    if name.casefold() in {_UP_NEXT, request.translate(_("Up next")).casefold()}:
        return _UP_NEXT
    lists = (await request.api.get("/lists")).body
    for one in lists:
        if one["name"].casefold() == name.casefold():
            return str(one["id"])
    made = await request.api.command("POST", "/lists", {"name": name}, headers={CORRELATION: correlation})
    return str(made.body["id"])
