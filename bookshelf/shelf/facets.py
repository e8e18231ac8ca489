"""What the books can be filtered by, with counts; suggestions for a search; authors, series and tags."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Select, func, select

from bookshelf.cqrs.errors import Invalid
from bookshelf.cqrs.route import Answer, Owned, QueryRoute
from bookshelf.shelf import field_types
from bookshelf.shelf.book_filters import Filters, best_first, conditions
from bookshelf.shelf.book_keys import TITLE_WEIGHT
from bookshelf.shelf.book_tables import BOOK_LIST, INDEX, NAMES, books
from bookshelf.shelf.name_rows import AUTHOR, SERIES, TAG
from bookshelf.shelf.rows import on_shelf
from bookshelf.shelf.search_text import has_terms, query_terms
from bookshelf.shelf.sort_keys import name_key
from bookshelf.shelf.values import Cover, SeriesEntry
from bookshelf.storage.paging import After, Limit, Sort, list_page

#: Values of a facet, and suggestions of a kind, at the most.
_MOST_VALUES = 100
_MOST_SUGGESTED = 5
#: Books that are shown of a name.
_MOST_BOOKS = 4
#: Books of a name that are ranked together with those of other names.
_FEW = 100

NameSort = Literal["name", "-count", "-stars"]
_Count = Annotated[int, Meta(description="how many books", examples=[12])]


class FacetValue(msgspec.Struct, frozen=True):
    """One value of a facet; a number is written as text."""

    value: Annotated[str, Meta(examples=["finished"])]
    count: _Count


class Facets(msgspec.Struct, frozen=True):
    """For each filter its values in the books that match the others, the most frequent first."""

    state: tuple[FacetValue, ...]
    author: tuple[FacetValue, ...]
    series: tuple[FacetValue, ...]
    tag: tuple[FacetValue, ...]
    format: tuple[FacetValue, ...]
    language: Annotated[tuple[FacetValue, ...], Meta(description="by code, like en for English")]
    published: Annotated[tuple[FacetValue, ...], Meta(description="by year")]
    finished: Annotated[tuple[FacetValue, ...], Meta(description="by year")]
    stars: tuple[FacetValue, ...]


class Suggestion(msgspec.Struct, frozen=True, omit_defaults=True):
    """A title, an author, a series or a tag whose words begin like the query's. A title has its book."""

    kind: Annotated[str, Meta(description="title, author, series or tag", examples=["title"])]
    text: Annotated[str, Meta(examples=["Dune"])]
    id: field_types.BookId | None = None


class NamedBook(msgspec.Struct, frozen=True, omit_defaults=True):
    """A book of a name, as far as its cover shows it."""

    id: field_types.BookId
    title: Annotated[str, Meta(examples=["Dune"])]
    author: Annotated[str, Meta(examples=["Frank Herbert"])]
    language: Annotated[str, Meta(examples=["en"])] | None = None
    series: tuple[SeriesEntry, ...] = ()
    cover: Cover | None = None


class NamedBooks(msgspec.Struct, frozen=True):
    """An author, a series or a tag: how many books, their mean stars, and four of them."""

    name: Annotated[str, Meta(examples=["Frank Herbert"])]
    count: _Count
    stars: Annotated[float | None, Meta(description="the mean; null if none is rated", examples=[4.5])]
    books: tuple[NamedBook, ...]


class SuggestionQuery(Owned, forbid_unknown_fields=True, kw_only=True):
    """The beginning of a search."""

    q: Annotated[str, Meta(max_length=200, description="words, or their beginnings", examples=["du"])]


class NameListing(Owned, forbid_unknown_fields=True, kw_only=True, rename={"start": "from"}):
    """Which page of the names, in which sort."""

    sort: Annotated[
        NameSort,
        Meta(
            description="by name; by the number of books, most first; by mean stars, most first, unknown last"
        ),
    ] = "name"
    start: (
        Annotated[
            str,
            Meta(
                max_length=200, description="the first name, or its beginning, if sorted so", examples=["m"]
            ),
        ]
        | None
    ) = None
    limit: Limit = 100
    after: After | None = None


_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "state": books.c.state,
    "format": books.c.format,
    "language": books.c.language_code,
    "published": books.c.year,
    "finished": func.substr(books.c.finished, 1, 4),
    "stars": books.c.stars,
}
#: The kinds of names, each with the weight of its tokens.
_KINDS: Mapping[str, int] = {AUTHOR: 4, SERIES: 4, TAG: 2}


def count_facets(db: Any, asked: Filters) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return the values of each filter, counted over the books that match all other filters."""
    counted = {name: _count(db, asked, name) for name in (*_COLUMNS, *_KINDS)}
    return Answer(Facets(**counted))


def _count(db: Any, asked: Filters, name: str) -> tuple[FacetValue, ...]:  # noqa: ANN401 (see above)
    # a tag narrows the books further, so the tags beside it are those of the books that have it
    others = asked if name == TAG else msgspec.structs.replace(asked, **{name: _NOT_ASKED.get(name)})
    matching = conditions(db, others)
    if name in _COLUMNS:
        value = _COLUMNS[name]
        matching.append(value.is_not(None))
    else:
        value = NAMES.table.c.name
        matching = _names_of(name, select(books.c.id).where(*matching))
    count = func.count()
    query = select(value, count).where(*matching).group_by(value).order_by(count.desc(), value)
    return tuple(FacetValue(_written(found), n) for found, n in db.execute(query.limit(_MOST_VALUES)))


_NOT_ASKED: Mapping[str, Any] = {"state": ()}


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def suggest(db: Any, asked: SuggestionQuery) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return titles, authors, series and tags with the words of the query, the best first."""
    terms = query_terms(asked.q)
    if not terms:
        return Answer([])
    theirs = on_shelf(books, asked.owner)
    found = INDEX.has_terms(db, terms, TITLE_WEIGHT)
    best = (*best_first(db, asked.q), books.c.id)
    titles = select(books.c.id, books.c.title).where(*theirs, found).order_by(*best).limit(_MOST_SUGGESTED)
    suggestions = [Suggestion("title", row.title, row.id) for row in db.execute(titles)]
    for kind, weight in _KINDS.items():
        name, number = NAMES.table.c.name, func.count()
        matching = _names_of(kind, select(books.c.id).where(*theirs, INDEX.has_terms(db, terms, weight)))
        query = select(name).where(*matching).group_by(name).order_by(number.desc(), name).limit(_MOST_VALUES)
        names = [text for text in db.scalars(query) if has_terms(text, terms)]
        suggestions += [Suggestion(kind, text) for text in names[:_MOST_SUGGESTED]]
    return Answer(suggestions)


def list_names(db: Any, asked: NameListing, kind: str) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return a page of the authors, the series or the tags. Raises `Invalid`."""
    row = NAMES.table.c
    matching = (*on_shelf(books, asked.owner), *_named(kind))
    number, stars = func.count().label("number"), func.avg(books.c.stars).label("stars")
    columns = (row.key, row.name.label("id"), number, stars, func.count().over().label("total"))
    names = select(*columns).where(*matching).group_by(row.key, row.name).subquery()
    query = select(names)
    if asked.start is not None:
        key = name_key(asked.start)
        if asked.sort != "name" or key is None:
            raise Invalid("is not possible in this sort, or is blank", field="from")
        query = query.where(names.c.key >= key)
    found: list[Any] = []
    page = list_page(
        db,
        query,
        names.c.id,
        order=f"{kind} {asked.sort}",
        sort=_name_sort(asked.sort, names.c),
        limit=asked.limit,
        render=found.append,
        after=asked.after,
    )
    shown = _books_of(db, {one.id: one.number for one in found}, matching)
    items = [NamedBooks(one.id, one.number, one.stars, tuple(shown[one.id])) for one in found]
    count = found[0].total if found else db.scalar(select(func.count()).select_from(names))
    return Answer(items, after=page.after, count=count)


def _name_sort(name: NameSort, names: Any) -> Sort:  # noqa: ANN401 (the columns of a query)
    """Return a sort of names, always upwards: where the first key is equal, names go from A to Z."""
    match name:
        case "-count":
            return Sort((-names.number, names.key), (int, str))
        case "-stars":
            return Sort((-names.stars, names.key), (float, str), nullable=True)
    return Sort((names.key,), (str,))


def _names_of(kind: str, found: Select[Any]) -> list[ColumnElement[bool]]:
    """Return the condition for the names of found books.

    It is no join with them: SQLite would go through all found books again for each name.
    """
    return [NAMES.table.c.kind == kind, NAMES.table.c.book.in_(found)]


def _named(kind: str) -> tuple[ColumnElement[bool], ...]:
    return NAMES.table.c.book == books.c.id, NAMES.table.c.kind == kind


def _books_of(
    db: Any,  # noqa: ANN401 (the storage's connection)
    names: Mapping[str, int],
    matching: Sequence[ColumnElement[bool]],
) -> Mapping[str, list[NamedBook]]:
    """Return for each name the books that were added last; `names` has the number of books of each."""
    name = NAMES.table.c.name
    tile, newest = [books.c[column] for column in _TILE], (books.c.added.desc(), books.c.id.desc())
    place = func.row_number().over(partition_by=name, order_by=newest).label("place")
    few = [text for text, number in names.items() if number <= _FEW]
    ranked = select(name, *tile, place).where(*matching, name.in_(few)).subquery()
    rows = list(db.execute(select(ranked).where(ranked.c.place <= _MOST_BOOKS)))
    for text in names.keys() - set(few):
        # the newest books of the shelf, one after the other, until four of them have the name
        query = select(name, *tile).where(*matching, name == text).order_by(*newest).limit(_MOST_BOOKS)
        rows += db.execute(query)
    rows.sort(key=lambda row: (row.added, row.id), reverse=True)
    found: dict[str, list[NamedBook]] = {text: [] for text in names}
    for row in rows:
        series = () if row.series is None else _series(row.series)
        cover = None if row.cover is None else _cover(row.cover)
        found[row.name].append(NamedBook(row.id, row.title, row.author, row.language, series, cover))
    return found


_TILE = ("id", "title", "author", "language", "series", "cover", "added")
_cover = msgspec.json.Decoder(Cover).decode
_series = msgspec.json.Decoder(tuple[SeriesEntry, ...]).decode

ROUTES = (
    QueryRoute(
        path="/books/facets",
        summary="What the books can be filtered by, with counts",
        view=BOOK_LIST,
        query=count_facets,
        params=Filters,
        returns=Facets,
    ),
    QueryRoute(
        path="/books/suggest",
        summary="Titles, authors, series and tags for the beginning of a search",
        view=BOOK_LIST,
        query=suggest,
        params=SuggestionQuery,
        returns=list[Suggestion],
    ),
    *(
        QueryRoute(
            path=path,
            summary=summary,
            view=BOOK_LIST,
            query=partial(list_names, kind=kind),
            params=NameListing,
            returns=list[NamedBooks],
            counted=True,
        )
        for path, kind, summary in (
            ("/authors", AUTHOR, "The authors, each with the number of books, mean stars and four books"),
            ("/series", SERIES, "The series, each with the number of books, mean stars and four books"),
            ("/tags", TAG, "The tags, each with the number of books, mean stars and four books"),
        )
    ),
)
