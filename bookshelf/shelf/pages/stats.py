"""The numbers of the shelf and of a year: sentences first, charts second; and the picture of a year."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
from babel.dates import get_month_names

from bookshelf.covers.drawing import short_title
from bookshelf.shelf.field_types import Pages
from bookshelf.shelf.languages import language_name
from bookshelf.shelf.pages.cover_files import read_covers
from bookshelf.shelf.pages.field_labels import FORMATS
from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.shelf.pages.poster import Poster, draw_poster, title_font
from bookshelf.site import charts
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import DRAWING_POLICY, Download, Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest
from bookshelf.site.templates import LOCALES, Formats

NOTICES: Mapping[str, str] = {"goal-set": _("Saved the goal.")}
_SHARES, _POSTER_BOOKS = 12, 150
_MONTHS = 12
#: What the picture of a year shows, and can be left out.
POSTER_PARTS: Mapping[str, str] = {
    "facts": _("Facts"),
    "covers": _("Covers"),
    "favourites": _("Books with 5 stars"),
}


class StatsModel(Model):
    """The numbers of the whole shelf. `decades` and `stars` are None if they cannot be read."""

    all: Mapping[str, Any]
    years: charts.Bars | None
    states: tuple[tuple[str, int], ...]
    decades: charts.Bars | None
    stars: charts.Bars | None
    authors: tuple[tuple[str, int], ...]
    this_year: int


class Extremes(msgspec.Struct, frozen=True, kw_only=True):
    """The longest and the shortest book of a year, and the first and the last: each book once."""

    longest: BookTile | None = None
    shortest: BookTile | None = None
    first: BookTile | None = None
    last: BookTile | None = None


class YearModel(Model):
    """The numbers of one year. `days` is None if they cannot be read.

    `so_far`: the year has not ended; `has_next`: a year follows that has begun.
    """

    year: int
    so_far: bool
    has_next: bool
    stats: Mapping[str, Any]
    best_month: str
    months: charts.Bars
    pages: charts.Bars
    days: charts.HeatMap | None
    authors: tuple[Mapping[str, Any], ...]
    formats: tuple[tuple[str, int], ...]
    languages: tuple[tuple[str, int], ...]
    books: tuple[BookTile, ...]
    extremes: Extremes
    left_out: tuple[str, ...]
    parts: Mapping[str, str]
    poster: str
    years: tuple[str, ...]


class YearParts(msgspec.Struct, frozen=True, kw_only=True):
    """What else is read of a year: days, books and extremes; `years` are those with readings."""

    days: Sequence[Mapping[str, Any]] | None
    books: Sequence[Mapping[str, Any]]
    extremes: Extremes
    years: tuple[str, ...] = ()


class GoalForm(Form):
    """The goal of a year; an empty field is no goal."""

    books: Pages | None = None
    pages: Pages | None = None


class YearQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the picture that are shown; all of them if none is given."""

    shown: tuple[str, ...] = ()


async def show_stats(request: PageRequest) -> Page:
    """Show the numbers of the whole shelf."""
    whole, facets = await asyncio.gather(request.api.get("/stats"), request.api.try_get("/books/facets"))
    model = _stats_model(whole.body, None if facets is None else facets.body, request.today.year)
    return Page("stats.html", model, live=("readings",))


def _stats_model(whole: Mapping[str, Any], facets: Mapping[str, Any] | None, this_year: int) -> StatsModel:
    read = {int(share["name"]): float(share["readings"]) for share in whole["years"] if share["name"]}
    years = [(str(year), read.get(year, 0.0)) for year in range(min(read), max(read) + 1)] if read else []
    return StatsModel(
        all=whole,
        years=charts.bars(years[-30:]) if len(years) > 1 else None,
        states=tuple((state, count) for state, count in whole["states"].items() if count),
        decades=None if facets is None else _decades(facets["published"]),
        stars=None if facets is None else _stars(facets["stars"]),
        authors=()
        if facets is None
        else tuple((one["value"], one["count"]) for one in facets["author"][:_SHARES]),
        this_year=this_year,
    )


def _decades(published: Sequence[Mapping[str, Any]]) -> charts.Bars | None:
    """Return the books by decade of publication; the first bar has all that are older than eleven decades."""
    counts: dict[int, float] = {}
    for value in published:
        decade = int(value["value"]) // 10 * 10
        counts[decade] = counts.get(decade, 0) + value["count"]
    newest = max(counts, default=0)
    first = max(newest - 110, min(counts, default=0))
    older = sum(count for decade, count in counts.items() if decade < first)
    shown = [(str(decade), counts.get(decade, 0)) for decade in range(first, newest + 1, 10)]
    return charts.bars([*([(f"< {first}", older)] if older else []), *shown]) if counts else None


def _stars(values: Sequence[Mapping[str, Any]]) -> charts.Bars | None:
    """Return the books by stars, quarters at the half below them."""
    counts = dict.fromkeys((half / 2 for half in range(1, 11)), 0.0)
    for value in values:
        half = max(int(float(value["value"]) * 2) / 2, 0.5)
        counts[half] += value["count"]
    labels = [f"{int(half) or ''}{'½' if half % 1 else ''}" for half in counts]
    return charts.bars(list(zip(labels, counts.values(), strict=True))) if values else None


async def show_year(request: PageRequest) -> Page:
    """Show the numbers of a year. Raises `ApiProblem`."""
    year = segment(request.path["year"])
    stats = (await request.api.get(f"/stats/{year}")).body
    days, books, extremes, whole = await asyncio.gather(
        request.api.try_get(target("/stats/days", year=year)),
        _books_of(request, stats["year"]),
        _extremes(request, stats["year"]),
        request.api.try_get("/stats"),
    )
    query: YearQuery = request.query
    parts = YearParts(
        days=None if days is None else days.body,
        books=books,
        extremes=extremes,
        years=() if whole is None else tuple(one["name"] for one in whole.body["years"] if one["name"]),
    )
    shown = tuple(part for part in POSTER_PARTS if not query.shown or part in query.shown)
    model = _year_model(stats, parts, today=request.today, language=request.language, shown=shown)
    goal = stats["goal"]
    form = GoalForm(books=goal.get("books"), pages=goal.get("pages"))
    return Page("year.html", model, title=str(stats["year"]), form=form, live=("readings",))


async def _books_of(request: PageRequest, year: int) -> list[Mapping[str, Any]]:
    """Return the books that were finished in a year, the first of them first."""
    answer = await request.api.try_get(
        target("/books", finished=f"{year:04}", sort="finished", limit=_POSTER_BOOKS)
    )
    return [] if answer is None else list(answer.body)


async def _extremes(request: PageRequest, year: int) -> Extremes:
    sorts = {"longest": "-pages", "shortest": "pages", "first": "finished", "last": "-finished"}
    answers = await asyncio.gather(
        *(
            request.api.try_get(target("/books", finished=f"{year:04}", sort=sort, limit=1))
            for sort in sorts.values()
        )
    )
    found = {
        name: book_tile(answer.body[0])
        for name, answer in zip(sorts, answers, strict=True)
        if answer is not None
        and answer.body
        and (not sorts[name].endswith("pages") or answer.body[0].get("pages"))
    }
    names = {book.id: name for name, book in reversed(found.items())}
    return Extremes(**{name: book for name, book in found.items() if names[book.id] == name})


def _year_model(
    stats: Mapping[str, Any], parts: YearParts, *, today: date, language: str, shown: Sequence[str]
) -> YearModel:
    year = stats["year"]
    names = get_month_names("abbreviated", context="stand-alone", locale=language)
    by_month = {int(share["name"]): share for share in stats["months"] if share["name"]}
    labels = [(names[month].rstrip("."), by_month.get(month, {})) for month in range(1, _MONTHS + 1)]
    best = max(by_month, key=lambda month: (by_month[month]["readings"], -month), default=0)
    full = get_month_names("wide", context="stand-alone", locale=language)
    return YearModel(
        year=year,
        so_far=year == today.year,
        has_next=year < today.year,
        stats=stats,
        best_month=full[best] if best else "",
        months=charts.bars([(name, float(share.get("readings", 0))) for name, share in labels]),
        pages=charts.bars([(name, float(share.get("pages", 0))) for name, share in labels]),
        days=None if parts.days is None else _heat(parts.days, year, today),
        authors=tuple(stats["authors"][:_SHARES]),
        formats=_named(stats["formats"], lambda name: FORMATS.get(name, name)),
        languages=_named(stats["languages"], lambda name: language_name(name, language)),
        books=tuple(map(book_tile, parts.books)),
        extremes=parts.extremes,
        left_out=tuple(part for part in POSTER_PARTS if part not in shown),
        parts=POSTER_PARTS,
        poster=target(f"/stats/{year}/poster.svg", shown=list(shown)),
        years=parts.years,
    )


def _named(shares: Sequence[Mapping[str, Any]], name_of: Callable[[str], str]) -> tuple[tuple[str, int], ...]:
    """Return names with their readings; an unknown name is empty."""
    return tuple((name_of(one["name"]) if one["name"] else "", one["readings"]) for one in shares[:_SHARES])


def _heat(days: Sequence[Mapping[str, Any]], year: int, today: date) -> charts.HeatMap:
    values = {date.fromisoformat(one["day"]): float(one["books"]) for one in days}
    return charts.heat_map(values, date(year, 1, 1), min(date(year, 12, 31), max(today, date(year, 1, 1))))


async def show_goal(request: PageRequest) -> Redirect:
    """Lead to the goal of the present year."""
    return Redirect(f"/stats/{request.today.year}#goal-heading")


async def set_goal(request: PageRequest, form: GoalForm) -> Redirect:
    """Set the goal of a year."""
    year = segment(request.path["year"])
    done = await request.api.put(f"/goals/{year}", {"books": form.books, "pages": form.pages})
    change = done.change
    return Redirect(request.back(f"/stats/{year}"), notice="goal-set", change=change)


async def show_poster(request: PageRequest) -> Download:
    """Draw the picture of a year. Raises `ApiProblem`."""
    year = segment(request.path["year"])
    stats = (await request.api.get(f"/stats/{year}")).body
    books, extremes = await asyncio.gather(
        _books_of(request, stats["year"]), _extremes(request, stats["year"])
    )
    query: YearQuery = request.query
    shown = query.shown or tuple(POSTER_PARTS)
    names = get_month_names("wide", context="stand-alone", locale=request.language)
    poster = Poster(
        heading=request.translate(_("My year in books")),
        year=str(stats["year"]),
        facts=_facts(request, stats, extremes, names) if "facts" in shown else (),
        books=books if "covers" in shown else (),
        images=await read_covers(request, books) if "covers" in shown else {},
        foot=_favourites(request, books) if "favourites" in shown else "",
    )
    drawn = draw_poster(poster, title_font())
    return Download(body=drawn.encode(), media_type="image/svg+xml", policy=DRAWING_POLICY)


def _facts(
    request: PageRequest, stats: Mapping[str, Any], extremes: Extremes, names: Mapping[int, str]
) -> list[str]:
    """Return up to three facts of a year as sentences."""
    number = Formats(LOCALES[request.language], request.translate).number
    titles, pages = stats["titles"], stats["pages"]
    books = request.plural("one book", "%(number)s books", titles) % {"number": number(titles)}
    of_pages = request.plural("one page", "%(number)s pages", pages) % {"number": number(pages)}
    facts = [f"{books}, {of_pages}." if pages else f"{books}."]
    if extremes.longest is not None and titles > 1:
        title = short_title(extremes.longest.title)
        facts.append(request.translate(_("Longest: %(title)s.")) % {"title": title})
    months = {int(one["name"]): one["readings"] for one in stats["months"] if one["name"]}
    if len(months) > 1:
        best = max(months, key=lambda month: (months[month], -month))
        facts.append(request.translate(_("Best month: %(month)s.")) % {"month": names[best]})
    return facts


def _favourites(request: PageRequest, books: Sequence[Mapping[str, Any]]) -> str:
    """Return the titles of the books with five stars as one line."""
    best = [
        short_title(book["title"]) for book in books if book.get("rating") == _BEST and "stars" not in book
    ]
    return f"{request.translate(_('5 stars:'))} {_DOT.join(best)}" if best else ""


_BEST = 5
_DOT = " \u00b7 "


def _share(name: str | None, readings: int) -> dict[str, Any]:
    return {"name": name, "readings": readings, "titles": readings, "pages": readings * 310}


_YEAR: Mapping[str, Any] = {
    "year": 2025,
    "readings": 34,
    "titles": 31,
    "pages": 9871,
    "abandoned": 2,
    "stars": 3.9,
    "goal": {"books": 40},
    "months": [_share(f"{month:02}", (month * 5) % 7) for month in range(1, 13)] + [_share(None, 2)],
    "authors": [_share("Ursula K. Le Guin", 4), _share("George Eliot", 2), _share("Toni Morrison", 2)],
    "formats": [_share("paperback", 20), _share(None, 14)],
    "languages": [_share("en", 25), _share("de", 9)],
}
_EMPTY_YEAR: Mapping[str, Any] = {
    **_YEAR,
    **dict.fromkeys(("readings", "titles", "pages", "abandoned"), 0),
    **dict.fromkeys(("months", "authors", "formats", "languages"), ()),
    "stars": None,
    "goal": {},
}


def _examples() -> Mapping[str, Page]:
    whole = {
        "books": 312,
        "states": {"finished": 120, "unread": 186, "reading": 3, "paused": 1, "abandoned": 2},
        "readings": 131,
        "titles": 120,
        "pages": 40_120,
        "years": [_share(str(year), (year * 7) % 40) for year in range(2025, 2012, -1)],
    }
    facets = {
        "published": [{"value": str(1900 + 7 * n), "count": (n * 5) % 13 + 1} for n in range(18)],
        "stars": [{"value": f"{half / 2:g}", "count": half * 3} for half in range(1, 11)],
        "author": [{"value": f"Author {n}", "count": 12 - n} for n in range(10)],
    }
    nothing = {**whole, "books": 0, "states": {}, "readings": 0, "titles": 0, "pages": 0, "years": []}
    empty: Mapping[str, Any] = {"published": [], "stars": [], "author": []}
    return {
        "usual": Page("stats.html", _stats_model(whole, facets, 2026)),
        "empty": Page("stats.html", _stats_model(nothing, empty, 2026)),
        "failed": Page("stats.html", _stats_model(whole, None, 2026)),
    }


def _year_examples() -> Mapping[str, Page]:
    books = [{"id": f"b{n}", "title": f"Book {n}", "author": f"Author {n % 9}"} for n in range(31)]
    long = [{**book, "title": "The Life and Strange Surprizing Adventures of " * 10} for book in books]
    days = [
        {"day": f"2025-{month:02}-{day:02}", "books": 1} for month in range(1, 13) for day in range(1, 28, 2)
    ]

    def example(stats: Mapping[str, Any], listed: list[dict[str, str]], today: date, **more: Any) -> Page:  # noqa: ANN401 (days)
        tiles = [book_tile(book) for book in listed[:4]]
        extremes = Extremes(**dict(zip(Extremes.__struct_fields__, tiles, strict=False)))
        parts = YearParts(
            days=more.get("days", days), books=listed, extremes=extremes, years=("2025", "2024")
        )
        model = _year_model(stats, parts, today=today, language="en", shown=tuple(POSTER_PARTS))
        return Page("year.html", model, title="2025", form=GoalForm(books=40))

    return {
        "usual": example(_YEAR, books, date(2026, 1, 31)),
        "so far": example(_YEAR, books, date(2025, 10, 3)),
        "empty": example(_EMPTY_YEAR, [], date(2026, 1, 31), days=[]),
        "long": example(_YEAR, long, date(2026, 1, 31)),
        "failed": example(_YEAR, books, date(2026, 1, 31), days=None),
    }


PAGES = (
    PageRoute("/stats", get=show_stats, title=_("Stats"), examples=_examples, section="/stats"),
    PageRoute("/goal", get=show_goal, title=_("The goal of this year")),
    PageRoute(
        "/stats/{year}",
        get=show_year,
        post=set_goal,
        form=GoalForm,
        params=YearQuery,
        title=_("A year"),
        examples=_year_examples,
        section="/stats",
    ),
    PageRoute(
        "/stats/{year}/poster.svg", get=show_poster, params=YearQuery, title=_("The picture of a year")
    ),
)
