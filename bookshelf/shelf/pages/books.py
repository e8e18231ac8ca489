"""The shelf: books as covers, list or spines, with search, filters and sort, a page at a time."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.shelf.lists import UP_NEXT
from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.shelf.pages.selection import ACTIONS, SelectionForm, change_books
from bookshelf.shelf.pages.shelf_filters import (
    COLUMNS,
    FIRST_PAGE,
    SORTS,
    USUAL_SORT,
    Active,
    Chip,
    Choices,
    ShelfQuery,
    TextOf,
    address,
    filters_of,
    make_active,
    make_chips,
    make_choices,
    preferred,
    sort_of,
    value_text,
)
from bookshelf.shelf.pages.spines import GeneratedSpine, generate_spine
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

#: Books on one page of the shelf, from how many on it has links to letters and years, and the most
#: in one document.
PAGE, _LONG, _MOST = 60, 120, 600
_VIEWS = (
    ("covers", _("Covers"), "layout-grid"),
    ("list", _("List"), "list"),
    ("spines", _("Spines"), "rows-3"),
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: The sorts by texts. Titles that begin with a digit come before the letters, other scripts after them.
_TEXTS = frozenset({"title", "author", "series"})
_DIGITS, _AFTER_LETTERS = "0", "{"
_OTHERS = _("Other scripts")
_MARKS = {_DIGITS: "0\N{EN DASH}9", _AFTER_LETTERS: _OTHERS}


class BookOnShelf(msgspec.Struct, frozen=True, kw_only=True):
    """A book on the shelf as all three views show it."""

    tile: BookTile
    spine: GeneratedSpine
    series: str
    published: str
    finished: str
    pages: int | None


class Jump(msgspec.Struct, frozen=True):
    """A link to the books that begin with a letter or a year; `current`: they are shown."""

    text: str
    address: str
    current: bool


class ShelfModel(Model):
    """The shelf: its books, how many there are in all, and the addresses of other ways to see it.

    `columns` are those of the list out of `all_columns`. `hidden` are the parameters that the search field
    and the panel keep. `grown` is the address of the document once it has the next books too.
    `jumps` are letters or years, and `start` is the one that the books begin at; `beginning` is the address
    of all.
    """

    books: tuple[BookOnShelf, ...]
    count: int
    words: str
    next: str | None
    grows: bool
    grown: str
    view: str
    sort: str
    select: bool
    chips: tuple[Chip, ...]
    active: tuple[Active, ...]
    choices: tuple[Choices, ...]
    actions: tuple[tuple[str, str], ...]
    views: tuple[tuple[str, str, str, str], ...]
    sorts: tuple[tuple[str, str], ...]
    columns: frozenset[str]
    all_columns: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    jumps: tuple[Jump, ...]
    start: str
    beginning: str
    hidden: tuple[tuple[str, str], ...]
    select_address: str


async def show_books(request: PageRequest) -> Page | Redirect:
    """Show one page of the books; lead to the only one that was searched for with Enter."""
    asked: ShelfQuery = request.query
    preferences = preferred(asked, request.preferences)
    shown = preferences.more
    filters = filters_of(asked)
    sort = sort_of(asked, shown.get("sort", USUAL_SORT))
    start = {} if asked.after else {"from": asked.start}
    page = target("/books", **filters, **start, after=asked.after, limit=_size(asked), sort=sort)
    answer, facets, lists = await asyncio.gather(
        request.api.get(page),
        request.api.try_get(target("/books/facets", **filters)),
        request.api.try_get("/lists"),
    )
    if asked.open and answer.total == 1 and answer.body:
        return Redirect(f"/books/{segment(answer.body[0]['id'])}")
    up_next = next((one["count"] for one in lists.body if one["id"] == UP_NEXT), 0) if lists else 0
    text_of = partial(value_text, translate=request.translate, language=request.language)
    model = make_shelf(answer, asked, shown, facets=facets, up_next=up_next, text_of=text_of)
    if model.jumps and await _has_other_scripts(request, filters, sort):
        others = Jump(_OTHERS, address(asked, start=_AFTER_LETTERS), asked.start == _AFTER_LETTERS)
        model = msgspec.structs.replace(model, jumps=(*model.jumps, others))
    return Page("books.html", model, live=("readings",), preferences=preferences)


def make_shelf(
    answer: ApiAnswer,
    asked: ShelfQuery,
    shown: Mapping[str, str],
    *,
    facets: ApiAnswer | None = None,
    up_next: int = 0,
    text_of: TextOf = value_text,
) -> ShelfModel:
    """Return the model of a page of books as the API answers it; `shown` has the reader's preferences."""
    view, usual = shown.get("view", "covers"), shown.get("sort", USUAL_SORT)
    values = None if facets is None else facets.body
    sort = sort_of(asked, usual)
    kept = msgspec.to_builtins(msgspec.structs.replace(asked, **{**FIRST_PAGE, "q": ""}))
    return ShelfModel(
        books=tuple(map(_shelf_book, answer.body)),
        count=answer.total,
        words=asked.q,
        next=None if answer.cursor is None else _next_address(asked, answer.cursor, sort, view),
        grows=_grows(asked),
        grown=_grown_address(asked, sort, view),
        view=view,
        sort=sort,
        select=asked.select,
        chips=make_chips(asked, values, up_next),
        active=make_active(asked, text_of),
        choices=make_choices(asked, values, text_of),
        actions=ACTIONS,
        views=tuple((name, text, icon, address(asked, view=name)) for name, text, icon in _VIEWS),
        sorts=SORTS,
        columns=frozenset(shown["columns"].split(".") if "columns" in shown else COLUMNS),
        all_columns=tuple(COLUMNS.items()),
        headers={name: address(asked, sort=_turned(name, sort)) for name in _SORTED},
        jumps=tuple(_jumps(asked, sort, values)) if answer.total >= _LONG else (),
        start=_MARKS.get(asked.start, asked.start.upper()),
        beginning=address(asked),
        hidden=tuple(_hidden(kept)),
        select_address=address(asked, select=not asked.select),
    )


def _next_address(asked: ShelfQuery, cursor: str, sort: str, view: str) -> str:
    """Return the address of the next page, which is of the same sort whatever another tab chooses."""
    before = {"shown": _end(asked), "first": _first(asked), "start": asked.start} if _grows(asked) else {}
    return address(asked, after=cursor, **before, **_pinned(sort, view))


def _grown_address(asked: ShelfQuery, sort: str, view: str) -> str:
    """Return the address of the document with the next books; Back leads to it, and so to the same place."""
    begin = {"after": _first(asked), "start": asked.start}
    return address(asked, **begin, loaded=_end(asked) + PAGE, **_pinned(sort, view))


def _pinned(sort: str, view: str) -> dict[str, str]:
    return {"sort": "" if sort == "relevance" else sort, "view": view}


def _size(asked: ShelfQuery) -> int:
    return min(max(asked.loaded, PAGE), _MOST)


def _end(asked: ShelfQuery) -> int:
    """Return how many books the document has with these."""
    return asked.shown + _size(asked)


def _first(asked: ShelfQuery) -> str:
    return asked.first if asked.shown else asked.after


def _grows(asked: ShelfQuery) -> bool:
    """Return True if the next page is added to the document; else it is a document of its own."""
    return _end(asked) < _MOST


_SORTED = ("title", "author", "series", "published", "stars", "finished", "pages")


def _turned(name: str, sort: str) -> str:
    return f"-{name}" if sort == name else name


def _hidden(kept: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in kept.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if one:
                yield name, "1" if one is True else str(one)


def _shelf_book(book: Mapping[str, Any]) -> BookOnShelf:
    series = next(iter(book.get("series") or ()), None)
    number = f" {series['number']}" if series and series.get("number") else ""
    return BookOnShelf(
        tile=book_tile(book),
        spine=generate_spine(book),
        series=f"{series['name']}{number}" if series else "",
        published=str(book.get("published") or ""),
        finished=str(book.get("finished_on") or book.get("finished") or ""),
        pages=book.get("pages"),
    )


async def _has_other_scripts(request: PageRequest, filters: Mapping[str, Any], sort: str) -> bool:
    """Return True if some books, sorted upwards by a text, begin with letters of other scripts."""
    if sort not in _TEXTS:
        return False
    path = target("/books", **filters, from_=_AFTER_LETTERS, limit=1, sort=sort)
    found = await request.api.try_get(path)
    return bool(found and found.body)


def _jumps(asked: ShelfQuery, sort: str, facets: Mapping[str, Any] | None) -> Iterator[Jump]:
    """Yield the letters or years of the sort, each with the address that starts there."""
    starts: Iterable[tuple[str, str]] = ()
    downwards = sort.startswith("-")
    match sort.lstrip("-"):
        case name if name in _TEXTS:
            letters = [(letter, letter.lower()) for letter in _LETTERS]
            # downwards, other scripts come first, and digits begin below all letters
            starts = letters[::-1] if downwards else [(_MARKS[_DIGITS], _DIGITS), *letters]
        case "finished" | "published" as name if facets is not None:
            years = sorted({value["value"] for value in facets[name]}, key=int, reverse=downwards)
            starts = [(year, year) for year in years[:60]]
    for text, start in starts:
        yield Jump(text, address(asked, start=start), asked.start.lower() == start)


_PLAIN = ShelfQuery()


def _example(
    books: Iterable[Mapping[str, Any]],
    count: int,
    asked: ShelfQuery = _PLAIN,
    view: str = "covers",
) -> Page:
    facets = {name: [{"value": value, "count": count}] for name, value in _FACETS.items()}
    headers = {"Bookshelf-Count": str(count)}
    if count > PAGE:
        headers["Link"] = '</books?after=cursor>; rel="next"'
    model = make_shelf(
        ApiAnswer(200, headers, list(books)),
        asked,
        {"view": view},
        facets=ApiAnswer(200, {}, facets),
        up_next=3,
    )
    return Page("books.html", model)


_FACETS = {
    "state": "finished",
    "stars": "4.5",
    "tag": "science fiction",
    "author": "Frank Herbert",
    "series": "Dune",
    "format": "paperback",
    "language": "en",
    "finished": "2025",
    "published": "1965",
}


def _examples() -> Mapping[str, Page]:
    states = ("finished", "reading", "unread")
    usual = [
        {
            "id": str(n),
            "title": title,
            "author": author,
            "state": states[n % 3],
            "stars": stars,
            "pages": 99 * n,
        }
        for n, (title, author, stars) in enumerate(_SAMPLE)
    ]
    title = "The Strange Case of Dr Jekyll and Mr Hyde, with an Account of Its Origins and Long Afterlife "
    long = {"id": "long", "title": title * 2, "author": "Robert Louis Stevenson and many other people"}
    many = [{**book, "id": f"{book['id']}-{n}"} for n in range(7) for book in usual][:PAGE]
    found = ShelfQuery(q="dune", tag=("science fiction",), state=("finished",))
    return {
        "usual": _example(usual, len(usual)),
        "list": _example([long, *usual], 312, ShelfQuery(sort="title"), "list"),
        "spines": _example([long, *many], 312, ShelfQuery(sort="-published"), "spines"),
        "selection": _example(usual, 312, ShelfQuery(select=True)),
        "empty": _example([], 0),
        "nothing found": _example([], 0, found),
        "long": _example([long, *usual], len(usual), ShelfQuery(q=title, tag=(title[:90],))),
        "large": _example(many, 10_000, ShelfQuery(sort="title")),
        "from a letter": _example(usual, 312, ShelfQuery(sort="title", start="t")),
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
        post=change_books,
        form=SelectionForm,
        title=_("Your shelf"),
        params=ShelfQuery,
        section="/books",
        examples=_examples,
    ),
)
