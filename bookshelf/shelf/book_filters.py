"""The filters of the list of books: the parameters, and the conditions on its rows."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta
from sqlalchemy import ColumnElement, Select, case, false, func, or_, select, true

from bookshelf.cqrs.route import Owned
from bookshelf.shelf.book_keys import KEY_END
from bookshelf.shelf.book_tables import ENTRIES, INDEX, NAMES, books
from bookshelf.shelf.fields import FIELD_TYPES, BookState
from bookshelf.shelf.languages import language_code
from bookshelf.shelf.name_rows import AUTHOR, SERIES, TAG
from bookshelf.shelf.search_text import query_terms
from bookshelf.shelf.sort_keys import title_keys
from bookshelf.storage.statements import TEXT

#: The fields that the filters `has` and `missing` know, with their columns.
_FIELDS: Mapping[str, ColumnElement[Any]] = {
    name: books.c[name] for name in (*FIELD_TYPES, "cover", "finished", "stars", "review", "progress")
}
_FIELD_PATTERN = f"^({'|'.join(_FIELDS)})$"
_YEARS = r"^(-?[0-9]{1,4})(-(-?[0-9]{1,4}))?$"
_MONTH = r"^[0-9]{4}(-[0-9]{2})?$"
_STARS = r"^[0-5](\.(25|5|50|75|0|00))?-?$"
#: The title of a book that is known by its ISBN only.
_UNKNOWN_TITLE = "ISBN 97"

Name = Annotated[str, Meta(min_length=1, max_length=1000)]
Field = Annotated[
    str, Meta(pattern=_FIELD_PATTERN, extra={"hint": f"is one of {', '.join(_FIELDS)}"}, examples=["isbn"])
]


class Filters(Owned, forbid_unknown_fields=True, kw_only=True, rename={"among": "list"}):
    """Which books: those that all filters match."""

    q: (
        Annotated[
            str,
            Meta(
                max_length=200,
                description="words, or their beginnings, of title, authors, tags, ids, notes, reviews",
                examples=["dune"],
            ),
        ]
        | None
    ) = None
    state: Annotated[
        tuple[BookState, ...], Meta(max_length=5, description="only books in one of these states")
    ] = ()
    tag: Annotated[
        tuple[Name, ...], Meta(max_length=20, description="only books with all of these tags")
    ] = ()
    author: Annotated[Name, Meta(description="only books of this author")] | None = None
    series: Annotated[Name, Meta(description="only books of this series")] | None = None
    format: Annotated[Name, Meta(description="only books of this format")] | None = None
    language: (
        Annotated[Name, Meta(description="only books in this language, a code or a name, of any region")]
        | None
    ) = None
    published: (
        Annotated[
            str,
            Meta(
                pattern=_YEARS,
                extra={"hint": "is a year like 1965, or years like 1960-1969"},
                description="the year of publication, or the first and the last one",
                examples=["1960-1969"],
            ),
        ]
        | None
    ) = None
    finished: (
        Annotated[
            str,
            Meta(
                pattern=_MONTH,
                extra={"hint": "is a year like 2025, or a month like 2025-03"},
                description="the year or the month in which it was finished",
                examples=["2025-03"],
            ),
        ]
        | None
    ) = None
    stars: (
        Annotated[
            str,
            Meta(
                pattern=_STARS,
                extra={"hint": "is stars like 4 or 4.5, or with a minus behind: that many or more"},
                description="the stars; with a minus behind, that many or more",
                examples=["4-"],
            ),
        ]
        | None
    ) = None
    among: Annotated[Name, Meta(description="only books on the list with this id")] | None = None
    has: Annotated[tuple[Field, ...], Meta(max_length=20, description="only books with these fields")] = ()
    missing: Annotated[
        tuple[Field, ...], Meta(max_length=20, description="only books without these fields")
    ] = ()
    removed: Annotated[bool, Meta(description="true for the removed books")] = False


def conditions(db: Any, asked: Filters) -> list[ColumnElement[bool]]:  # noqa: ANN401 (a connection)
    """Return the conditions on the table of books."""
    return [
        *_has_words(db, asked),
        books.c.removed == (true() if asked.removed else false()),
        *([books.c.state.in_(asked.state)] if asked.state else []),
        *(_is_named(TAG, tag) for tag in asked.tag),
        *([_is_named(AUTHOR, asked.author)] if asked.author is not None else []),
        *([_is_named(SERIES, asked.series)] if asked.series is not None else []),
        *([books.c.format == asked.format] if asked.format is not None else []),
        *([books.c.language_code == language_code(asked.language)] if asked.language is not None else []),
        *_published(asked.published),
        *([books.c.finished.startswith(asked.finished, autoescape=True)] if asked.finished else []),
        *_rated(asked.stars),
        *([_is_among(asked.among)] if asked.among is not None else []),
        *(_has(field) for field in asked.has),
        *(~_has(field) for field in asked.missing),
    ]


def _has_words(db: Any, asked: Filters) -> Iterator[ColumnElement[bool]]:  # noqa: ANN401 (see above)
    """Yield the conditions that a book is the owner's and has the words of the query, if there is one."""
    owner: ColumnElement[str] = books.c.owner
    if asked.q is not None and asked.q.strip():
        terms = query_terms(asked.q)
        yield INDEX.has_terms(db, terms) if terms else false()
        if INDEX.is_rare(db, terms):
            owner = owner.concat("")  # no index has this value: the few rows with the words are read
    yield owner == (asked.owner or "")


def _is_named(kind: str, name: str) -> ColumnElement[bool]:
    row = NAMES.table.c
    return books.c.id.in_(_alone(select(row.book).where(row.kind == kind, row.name == name)))


def _is_among(list_id: str) -> ColumnElement[bool]:
    entry = ENTRIES.table.c
    return books.c.id.in_(_alone(select(entry.book).where(entry.list == list_id, entry.hidden == false())))


def _alone(query: Select[Any]) -> Select[Any]:
    """Return a query for ids that runs once, and not for each row of a query that has the same tables."""
    return query.correlate(None)


def _published(years: str | None) -> Iterator[ColumnElement[bool]]:
    if years is not None:
        for first, _, last in re.findall(_YEARS, years):
            yield books.c.year.between(int(first), int(last or first))


def _rated(stars: str | None) -> Iterator[ColumnElement[bool]]:
    if stars is not None:
        least = float(stars.rstrip("-"))
        yield books.c.stars >= least if stars.endswith("-") else books.c.stars == least


def _has(field: str) -> ColumnElement[bool]:
    column = _FIELDS[field]
    if field == "title":
        return ~column.startswith(_UNKNOWN_TITLE)
    return func.coalesce(column, "") != "" if column.type is TEXT else column.is_not(None)


def best_first(db: Any, query: str) -> tuple[ColumnElement[int], ColumnElement[int], ColumnElement[str]]:  # noqa: ANN401 (the storage's connection)
    """Return the keys that the best match of a query comes first by.

    First is the book with the query as its title, then those whose title begins with it, then all others,
    each by relevance and title. The leading article of a query is not needed, as that of a title.
    """
    keys = title_keys(query)
    forms = [key for key in (keys.full, keys.bare) if key]

    def has_form(end: str) -> ColumnElement[bool]:
        return or_(*(books.c.title_key.startswith(f"{form}{end}", autoescape=True) for form in forms))

    place = case((has_form(KEY_END), 0), (has_form(" "), 1), else_=2)
    return place, -INDEX.relevance(db, query_terms(query)), books.c.title_key
