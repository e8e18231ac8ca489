"""The page of one book: what it is, how far the reader is, what happened to it, and what stands beside it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.shelf.languages import language_name, language_tag
from bookshelf.shelf.pages.covers import generate_cover
from bookshelf.shelf.pages.field_labels import FIELD_LABELS, FORMATS, PROGRAMS, ROLES
from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.shelf.pages.opinions import stars_form
from bookshelf.shelf.pages.past import ShownChange, past_change, read_titles
from bookshelf.shelf.search_text import fold
from bookshelf.site.api_adapters import ApiProblem, segment, target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

#: Changes on the page of a book; /changes has all.
_CHANGES = 30
_NEIGHBOURS, _BESIDE = 12, 6
_NOT_FOUND = 404
_FACTS = (
    "publisher",
    "first_published",
    "isbn",
    "pages",
    "minutes",
    "format",
    "language",
    "copies",
    "location",
)
#: The format of tables that no program has written.
_TABLE = "CSV"


class BookQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"as_of": "as-of"}):
    """The day that the book is shown as of."""

    as_of: date | None = None


class BookModel(Model):
    """One book: its fields as the API answers them, and what belongs to it.

    `readings`, `passages` or `changes` are None if they cannot be read. `before` and `after` are its
    neighbours by title. `as_of`: it is shown as it was on that day. `removed`: it is off the shelf; in both
    cases it is not `stored`, and can't be changed. `not_yet`: a day before it was added.
    """

    book: Mapping[str, Any]
    address: str
    state: str
    rating: float | None
    stored: bool
    cover: GeneratedCover
    language: str
    people: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, Any], ...]
    from_file: tuple[tuple[str, str, str], ...]
    today: date
    labels: Mapping[str, str]
    readings: tuple[Mapping[str, Any], ...] | None = ()
    passages: tuple[Mapping[str, Any], ...] | None = ()
    changes: tuple[ShownChange, ...] | None = ()
    more_changes: bool = False
    editions: tuple[BookTile, ...] = ()
    beside: tuple[BookTile, ...] = ()
    before: BookTile | None = None
    after: BookTile | None = None
    as_of: date | None = None
    removed: bool = False
    not_yet: date | None = None


async def show_book(request: PageRequest) -> Page:
    """Show one book; a removed one with the way to put it back."""
    query: BookQuery = request.query
    path = f"/books/{segment(request.path['id'])}"
    if query.as_of is not None:
        return await _show_former(request, path, query.as_of)
    return await _show_present(request, path)


async def _show_present(request: PageRequest, path: str, not_yet: date | None = None) -> Page:
    """Show one book as it is. Raises `ApiProblem`."""
    try:
        answer = await request.api.get(path)
    except ApiProblem as problem:
        if problem.answer.status != _NOT_FOUND:
            raise
        return await _show_removed(request, path, problem)
    book = answer.body
    readings, passages, past, (before, after), others = await asyncio.gather(
        request.api.try_get(f"{path}/readings"),
        request.api.try_get(f"{path}/passages"),
        request.api.try_get(target("/changes", book=book["id"], limit=_CHANGES)),
        _neighbours(request, book),
        _others(request, book),
    )
    changes = None if past is None else await _changes(request, past.body, book)
    model = _model(
        book,
        request.today,
        request.language,
        readings=None if readings is None else tuple(readings.body),
        passages=None if passages is None else tuple(passages.body),
        changes=changes,
        more_changes=past is not None and past.cursor is not None,
        editions=tuple(book_tile(other) for other in others if _is_edition(other, book)),
        beside=tuple(book_tile(other) for other in others if not _is_edition(other, book)),
        before=before,
        after=after,
        not_yet=not_yet,
    )
    form, live = stars_form(book), (f"book:{book['id']}",)
    return Page("book.html", model, title=book["title"], live=live, form=form, version=answer.version)


def _model(book: Mapping[str, Any], today: date, shown_in: str = "en", **more: Any) -> BookModel:  # noqa: ANN401 (further fields)
    stars = book.get("stars", book.get("rating"))
    state, stored = str(book.get("state", "unread")), not more.get("removed") and more.get("as_of") is None
    return BookModel(
        book=book,
        address=f"/books/{segment(book['id'])}",
        state=state,
        rating=None if stars is None else float(stars),
        stored=stored,
        cover=generate_cover(book, ribbon=stored and state == "reading"),
        language=language_tag(book.get("language")),
        people=_people(book),
        facts=tuple(_facts(book, shown_in)),
        from_file=_from_file(book),
        today=today,
        labels=FIELD_LABELS,
        **more,
    )


def _people(book: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the names of contributors, each with the text for its role; authors have none."""
    people = book.get("contributors") or ({"name": book["author"]} if book.get("author") else (),)
    return tuple(
        (person["name"], "" if role == "author" else ROLES.get(role, role))
        for person in people
        if person
        for role in (person.get("role", "author"),)
    )


def _facts(book: Mapping[str, Any], shown_in: str) -> Sequence[tuple[str, Any]]:
    """Return the labels and values of the copy."""
    values = {name: book[name] for name in _FACTS if book.get(name) not in {None, ""}}
    if "language" in values:
        values["language"] = language_name(values["language"], shown_in)
    if "format" in values:
        values["format"] = FORMATS.get(values["format"], values["format"])
    facts: list[tuple[str, Any]] = [(FIELD_LABELS[name], value) for name, value in values.items()]
    return facts


def _from_file(book: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Return what programs have given a book: the program where that is known, the column, and the value.

    The columns of ids are empty.
    """
    ids = [
        (PROGRAMS.get(scheme, scheme), "", value) for scheme, value in sorted((book.get("ids") or {}).items())
    ]
    columns = []
    for name, value in sorted((book.get("extra") or {}).items()):
        program, mark, column = name.partition(": ")
        known = program if mark and program != _TABLE else ""
        columns.append((known, _in_words(column or name), value))
    return (*columns, *ids)


def _in_words(column: str) -> str:
    """Return the name of a column like `work_text_reviews_count` in words."""
    words = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", column).split())
    return words[:1].upper() + words[1:]


async def _changes(
    request: PageRequest, changes: Sequence[Mapping[str, Any]], book: Mapping[str, Any]
) -> tuple[ShownChange, ...]:
    titles = await read_titles(request, changes, {book["id"]: book["title"]})
    return tuple(past_change(change, titles) for change in changes)


async def _neighbours(
    request: PageRequest, book: Mapping[str, Any]
) -> tuple[BookTile | None, BookTile | None]:
    """Return the books before and after one by title."""
    title = str(book["title"])[:200]
    found = []
    for sort in ("-title", "title"):
        path = target("/books", sort=sort, from_=title, limit=_NEIGHBOURS)
        answer = await request.api.try_get(path)
        books = [] if answer is None else list(answer.body)
        place = next((n for n, other in enumerate(books) if other["id"] == book["id"]), None)
        rest = [] if place is None else books[place + 1 :]
        found.append(book_tile(rest[0]) if rest else None)
    return found[0], found[1]


async def _others(request: PageRequest, book: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return further books of the author."""
    people = _people(book)
    if not people:
        return []
    answer = await request.api.try_get(
        target("/books", author=people[0][0], limit=_BESIDE + 1, sort="published")
    )
    return [] if answer is None else [other for other in answer.body if other["id"] != book["id"]][:_BESIDE]


def _is_edition(other: Mapping[str, Any], book: Mapping[str, Any]) -> bool:
    """Return True if two books are editions of one work."""
    if book.get("work") and other.get("work") == book["work"]:
        return True
    return fold(str(other["title"])) == fold(str(book["title"]))


async def _show_former(request: PageRequest, path: str, day: date) -> Page:
    """Show the book as it was at the end of a day, or as it is if it was not there. Raises `ApiProblem`."""
    moment = datetime.combine(day + timedelta(days=1), time(), request.zone) - timedelta(seconds=1)
    try:
        book = (await request.api.get(target(path, as_of=moment.isoformat()))).body
    except ApiProblem as problem:
        if problem.answer.status != _NOT_FOUND:
            raise
        return await _show_present(request, path, day)
    model = _model(book, request.today, request.language, as_of=day)
    return Page("book.html", model, title=book["title"], form=stars_form(book))


async def _show_removed(request: PageRequest, path: str, missing: ApiProblem) -> Page:
    """Show a removed book as it was. Raises `ApiProblem`: `missing` if there never was such a book."""
    answer = await request.api.get(target("/changes", book=request.path["id"], limit=_CHANGES))
    removals = [change for change in answer.body if _removes(change)]
    if not removals:
        raise missing
    moment = datetime.fromisoformat(removals[0]["time"]) - timedelta(microseconds=1)
    book = (await request.api.get(target(path, as_of=moment.isoformat()))).body
    changes = await _changes(request, answer.body, book)
    model = _model(book, request.today, request.language, removed=True, changes=changes)
    return Page("book.html", model, title=book["title"], form=stars_form(book))


def _removes(change: Mapping[str, Any]) -> bool:
    return any(event["type"] == "shelf.book-removed.v1" for event in change["events"])


_USUAL: Mapping[str, Any] = {
    "id": "left-hand",
    "title": "The Left Hand of Darkness",
    "author": "Ursula K. Le Guin",
    "published": "1969",
    "pages": 304,
    "isbn": "9780441478125",
    "language": "en",
    "tags": ["science fiction", "gender", "winter"],
    "ids": {"goodreads": "18423", "openlibrary": "OL27448W"},
    "extra": {"CSV: work_text_reviews_count": "4478", "Goodreads: Condition": "worn"},
    "state": "finished",
    "stars": 4.5,
    "review": "The ice crossing is the best account of two people walking that I know.\n\n"
    "On a second reading the myths between the chapters are what holds it up.",
    "series": [{"name": "Hainish Cycle", "number": "4"}],
    "added": "2024-05-02T18:30:00Z",
}
_OPEN: Mapping[str, Any] = {
    **_USUAL,
    "state": "reading",
    "stars": None,
    "review": None,
    "progress": {"page": 212, "of": 304},
}
_BARE: Mapping[str, Any] = {
    "id": "isbn",
    "title": "ISBN 9780441478125",
    "author": "",
    "state": "unread",
    "added": "2024-05-02T18:30:00Z",
}
_LONG: Mapping[str, Any] = {
    **_USUAL,
    "title": "The Life and Strange Surprizing Adventures of Robinson Crusoe, of York, Mariner: " * 12,
    "subtitle": "Donaudampfschifffahrtsgesellschaftskapit\u00e4n" * 8,
    "tags": [f"a tag with many letters {number}" for number in range(40)],
    "notes": "Donaudampfschifffahrtsgesellschaft" * 40,
    "contributors": [
        {"name": f"A Person With a Long Name {number}", "role": "translator"} for number in range(30)
    ],
}
_DAY = date(2026, 1, 31)
_READINGS = (
    {"number": 1, "end": "finished", "ended": "2011"},
    {"number": 2, "end": "finished", "started": "2025-03-08", "ended": "2025-03-14", "stars": 4.5},
)


def _change(number: int, kind: str, **data: Any) -> Mapping[str, Any]:  # noqa: ANN401 (fields of an event)
    when = f"2025-03-{number:02}T20:15:00Z"
    return {
        "id": f"change-{number}",
        "subject": "left-hand",
        "time": when,
        "undo": [{"method": "PUT", "path": "/", "body": {"stars": 4.0}}],
        "events": [{"type": f"shelf.{kind}.v1", "data": data}],
    }


def _example_changes() -> tuple[ShownChange, ...]:
    changes = (
        _change(14, "reading-finished", finished="2025-03-14", stars=4.5),
        _change(12, "book-rated", stars=4.5),
        _change(11, "reading-progressed", progress={"page": 212, "of": 304}, on="2025-03-11"),
        _change(8, "reading-started", started="2025-03-08"),
        _change(2, "book-added", title="The Left Hand of Darkness"),
    )
    return tuple(past_change(change, {}) for change in changes)


def _examples() -> Mapping[str, Page]:
    tile = book_tile(_USUAL)
    passages = ({"number": 1, "quote": "Light is the left hand of darkness.", "progress": {"page": 233}},)
    changes = _example_changes()
    models = {
        "usual": _model(
            _USUAL,
            _DAY,
            readings=_READINGS,
            passages=passages,
            changes=changes,
            more_changes=True,
            editions=(book_tile({**_USUAL, "id": "edition", "title": "The Left Hand of Darkness"}),),
            beside=tuple(
                book_tile({**_USUAL, "id": f"b{n}", "title": f"Orsinian Tales {n}"}) for n in range(6)
            ),
            before=tile,
            after=tile,
        ),
        "reading": _model(_OPEN, _DAY, readings=({"number": 1, "end": "open", "started": "2026-01-20"},)),
        "empty": _model(_BARE, _DAY),
        "long": _model(_LONG, _DAY, readings=_READINGS * 20, changes=changes * 1),
        "failed": _model(_USUAL, _DAY, readings=None, passages=None, changes=None),
        "failed reading": _model(_OPEN, _DAY, readings=None),
        "removed": _model(_USUAL, _DAY, removed=True, changes=changes),
        "former": _model(_USUAL, _DAY, as_of=date(2025, 3, 11)),
    }
    return {
        name: Page("book.html", model, title=model.book["title"], form=stars_form(model.book), version='"1"')
        for name, model in models.items()
    }


PAGES = (
    PageRoute(
        "/books/{id}",
        get=show_book,
        params=BookQuery,
        title=_("A book"),
        examples=_examples,
        section="/books",
    ),
)
