"""The pages of authors, series and tags: all of a kind, and one with its books, which can be renamed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.shelf.field_types import Line
from bookshelf.shelf.limits import TAG_MAX
from bookshelf.shelf.pages.bulk import correlation_of
from bookshelf.shelf.pages.change_report import ChangeChoices
from bookshelf.shelf.pages.covers import generate_cover
from bookshelf.shelf.pages.jobs import CHANGE, job_redirect, run_job
from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.shelf.pages.series_gaps import SeriesPlace, places_of
from bookshelf.shelf.pages.step import check_length
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

#: Names or books on one page, those that are read at a time, and from how many on there are letters.
_PAGE, _READ, _LONG = 60, 1000, 120
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NOT_FOUND = 404
_SORTS: tuple[tuple[str, str], ...] = (
    ("", _("By name")),
    ("-count", _("Most books")),
    ("-stars", _("Most stars")),
)
NOTICES: Mapping[str, str] = {"named": _("Changed the name in all its books.")}


@dataclass(frozen=True, slots=True)
class NameKind:
    """A kind of names: its address, the filter of the shelf, its heading, and the sort of its books."""

    address: str
    field: Literal["author", "series", "tag"]
    heading: str
    sort: str
    longest: int = 1000


AUTHORS = NameKind("/authors", "author", _("Authors"), "published")
SERIES = NameKind("/series", "series", _("Series"), "series")
TAGS = NameKind("/tags", "tag", _("Tags"), "title", TAG_MAX)
KINDS = (AUTHORS, SERIES, TAGS)


class NamesQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from"}):
    """The sort of the names, and where their page begins."""

    sort: Literal["", "-count", "-stars"] = ""
    start: str = ""
    after: str = ""


class NameRow(msgspec.Struct, frozen=True, kw_only=True):
    """A name: its address, the number of its books, their mean stars (None without), and some covers."""

    id: str
    name: str
    address: str
    count: int
    stars: float | None
    covers: tuple[GeneratedCover, ...]


class NamesModel(Model):
    """A page of the names of a kind, how many there are, and the addresses of other ways to see them."""

    address: str
    heading: str
    field: str
    names: tuple[NameRow, ...]
    count: int
    sort: str
    sorts: tuple[tuple[str, str], ...]
    jumps: tuple[tuple[str, str], ...]
    next: str | None


async def _show_names(request: PageRequest, kind: NameKind) -> Page:
    asked: NamesQuery = request.query
    path = target(
        kind.address, sort=asked.sort, from_=asked.start or None, limit=_PAGE, after=asked.after or None
    )
    return _names_page(kind, await request.api.get(path), asked)


def _names_page(kind: NameKind, answer: ApiAnswer, asked: NamesQuery) -> Page:
    count, cursor = answer.total, answer.cursor
    letters = _LETTERS if count >= _LONG and not asked.sort else ""
    model = NamesModel(
        address=kind.address,
        heading=kind.heading,
        field=kind.field,
        names=tuple(_row(kind, one) for one in answer.body),
        count=count,
        sort=asked.sort,
        sorts=_SORTS,
        jumps=tuple((letter, target(kind.address, from_=letter.lower())) for letter in letters),
        next=None if cursor is None else target(kind.address, sort=asked.sort, after=cursor),
    )
    return Page("names.html", model, live=("readings",))


def _row(kind: NameKind, named: Mapping[str, Any]) -> NameRow:
    name = str(named["name"])
    return NameRow(
        id=blake2b(name.encode(), digest_size=6).hexdigest(),
        name=name,
        address=f"{kind.address}/{segment(name)}",
        count=named["count"],
        stars=None if named["stars"] is None else round(4 * float(named["stars"])) / 4,
        covers=tuple(generate_cover(book) for book in named["books"]),
    )


class NameQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The place of the first book that is shown."""

    first: Annotated[int, Meta(ge=0, le=100_000)] = 0


class RenameForm(Form):
    """Another name for all books of a name."""

    name: Line


class NameModel(Model):
    """A name with a page of its books; `known` are other names to join it with."""

    kind: NameKind
    name: str
    address: str
    count: int
    read: int
    stars: float | None
    books: tuple[BookTile, ...]
    places: tuple[SeriesPlace, ...]
    shelf: str
    known: tuple[str, ...]
    previous: str | None
    next: str | None


async def _show_name(request: PageRequest, kind: NameKind) -> Page:
    name, query = request.path["name"], request.query
    answers, facets = await asyncio.gather(
        _books_of(request, kind, name), request.api.try_get(target("/books/facets", **{kind.field: name}))
    )
    names = await request.api.try_get("/books/facets") if answers else None
    return _name_page(kind, name, answers, facets, names, query.first)


async def _books_of(request: PageRequest, kind: NameKind, name: str) -> list[Mapping[str, Any]]:
    """Return all books of a name in the sort of its kind. Raises `ApiProblem`."""
    books: list[Mapping[str, Any]] = []
    after: str | None = ""
    while after is not None:
        path = target("/books", **{kind.field: name}, sort=kind.sort, limit=_READ, after=after)
        answer = await request.api.get(path)
        books += answer.body
        after = answer.cursor
    return books


def _name_page(
    kind: NameKind,
    name: str,
    books: Sequence[Mapping[str, Any]],
    facets: ApiAnswer | None,
    names: ApiAnswer | None,
    first: int = 0,
) -> Page:
    address = f"{kind.address}/{segment(name)}"
    places = places_of(name, books) if kind is SERIES else ()
    part = slice(first, first + _PAGE)
    is_last = first + _PAGE >= len(places or books)
    found = {} if facets is None else facets.body
    known = () if names is None else tuple(one["value"] for one in names.body[kind.field])
    model = NameModel(
        kind=kind,
        name=name,
        address=address,
        count=len(books),
        read=sum(one["count"] for one in found.get("state", ()) if one["value"] == "finished"),
        stars=_mean_stars(found.get("stars", ())),
        books=() if places else tuple(map(book_tile, books[part])),
        places=tuple(places[part]),
        shelf=target("/books", **{kind.field: name}),
        known=tuple(one for one in known if one != name),
        previous=target(address, first=max(first - _PAGE, 0)) if first else None,
        next=None if is_last else target(address, first=first + _PAGE),
    )
    form, status = RenameForm(name=name), 200 if books else _NOT_FOUND
    return Page("name.html", model, title=name, form=form, live=("readings",), status=status)


def _mean_stars(values: Sequence[Mapping[str, Any]]) -> float | None:
    count = sum(one["count"] for one in values)
    total = sum(float(one["value"]) * one["count"] for one in values)
    return round(4 * total / count) / 4 if count else None


async def _rename(request: PageRequest, form: RenameForm, kind: NameKind) -> Redirect:
    """Give a name another one in all of its books, by a job; two that are the same then are one."""
    name = request.path["name"]
    check_length(request, "name", form.name, kind.longest)
    choices = ChangeChoices(
        correlation=correlation_of(request),
        action=f"rename-{kind.field}",
        value=form.name,
        former=name,
        filters={kind.field: [name] if kind is TAGS else name},
        after=request.api.positions,
    )
    job = await run_job(request, CHANGE, msgspec.to_builtins(choices))
    return job_redirect(job, f"{kind.address}/{segment(form.name)}", "named")


def _named(number: int, name: str, books: int = 12) -> Mapping[str, Any]:
    titles = ("The Left Hand of Darkness", "Beloved", "Middlemarch", "三体")[: min(books, 4)]
    shown = [{"id": f"{number}-{n}", "title": title, "author": name} for n, title in enumerate(titles)]
    return {"name": name, "count": books, "stars": (None, 4.5, 3.8)[number % 3], "books": shown}


_NAMES = (
    "Ursula K. Le Guin",
    "Toni Morrison",
    "George Eliot",
    "刘慈欣",
    "مجهول",
)
_LONG_NAME = "A Society of Gentlemen of Letters, Travellers and Retired Officers of Both Services " * 6


def _names_examples(kind: NameKind) -> Mapping[str, Page]:
    usual = [_named(n, name, n + 1) for n, name in enumerate(_NAMES)]
    many = [_named(n, f"Author {n}", 90 - n) for n in range(_PAGE)]
    plain = NamesQuery()

    def page(names: Sequence[Mapping[str, Any]], count: int, asked: NamesQuery = plain) -> Page:
        link = {"Link": f'<{kind.address}?after=cursor>; rel="next"'} if count > _PAGE else {}
        return _names_page(kind, ApiAnswer(200, {"Bookshelf-Count": str(count), **link}, names), asked)

    if kind is not AUTHORS:
        return {}
    return {
        "usual": page(usual, len(usual)),
        "empty": page([], 0),
        "long": page([_named(1, _LONG_NAME, 10_000), *usual], 6, NamesQuery(sort="-count")),
        "large": page(many, 10_000),
    }


def _name_examples(kind: NameKind) -> Mapping[str, Page]:
    numbers = ("1", "2", "2.5", "4", "9-10", "", "12")
    saga = [
        {
            "id": f"s{n}",
            "title": f"The Saga, part {number}",
            "author": "Ursula K. Le Guin",
            "series": [{"name": "Saga", "number": number}],
        }
        for n, number in enumerate(numbers)
    ]
    books = [{"id": f"b{n}", "title": title, "author": "A", "stars": 4.5} for n, title in enumerate(_NAMES)]
    long = {"id": "long", "title": "The Life and Adventures of " * 20, "author": _LONG_NAME}
    facets = ApiAnswer(
        200, {}, {"state": [{"value": "finished", "count": 3}], "stars": [{"value": "4.5", "count": 3}]}
    )
    names = ApiAnswer(200, {}, {kind.field: [{"value": name} for name in _NAMES]})
    many = [{**book, "id": f"{book['id']}-{n}"} for n in range(40) for book in books]
    if kind is SERIES:
        return {"series": _name_page(kind, "Saga", saga, facets, names)}
    if kind is TAGS:
        return {}
    return {
        "usual": _name_page(kind, _NAMES[0], books, facets, names),
        "empty": _name_page(kind, "Nobody", [], None, None),
        "long": _name_page(kind, _LONG_NAME, [long, *books], facets, names),
        "large": _name_page(kind, "Various", many, facets, names, _PAGE),
        "failed": _name_page(kind, _NAMES[0], books, None, None),
    }


def _routes(kind: NameKind) -> tuple[PageRoute, ...]:
    """Return the routes of the names of a kind, and of one of them."""
    return (
        PageRoute(
            kind.address,
            get=partial(_show_names, kind=kind),
            title=kind.heading,
            params=NamesQuery,
            section="/books",
            examples=partial(_names_examples, kind),
        ),
        PageRoute(
            f"{kind.address}/{{name}}",
            get=partial(_show_name, kind=kind),
            post=partial(_rename, kind=kind),
            form=RenameForm,
            title=kind.heading,
            params=NameQuery,
            section="/books",
            examples=partial(_name_examples, kind),
        ),
    )


PAGES = tuple(route for kind in KINDS for route in _routes(kind))
