"""The view of the service stats: finished readings by year, month, author, format, language; days of reading.

A reading counts in the year and month in which it ended. `titles` counts each book once.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Table,
    and_,
    bindparam,
    delete,
    false,
    func,
    insert,
    select,
    union_all,
)

from bookshelf.cqrs.route import Answer, Owned, QueryRoute
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.shelf import events
from bookshelf.shelf.events import EVENTS, TOPIC
from bookshelf.shelf.goals import Goal, Year, owner_of_goal
from bookshelf.shelf.reading_rows import ReadingRows
from bookshelf.shelf.rows import BookRows, book_table, on_shelf
from bookshelf.storage.statements import TEXT

TABLES = MetaData()
books = book_table("stats_book", TABLES, only={"author", "pages", "format", "language", "state"})
Index("stats_by_owner", books.c.owner, books.c.removed)
_READINGS = ReadingRows("stats", TABLES, books)
readings, progress = _READINGS.readings, _READINGS.progress
goals = Table(
    "stats_goal",
    TABLES,
    Column("owner", TEXT, primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("books", Integer),
    Column("pages", Integer),
)
_CLEAR = delete(goals).where(goals.c.owner == bindparam("whose"), goals.c.year == bindparam("when"))
_SET = insert(goals)


def _goal_set(event: events.GoalSet, recorded: Recorded) -> Iterable[Change]:
    owner = owner_of_goal(recorded.subject)
    yield _CLEAR, {"whose": owner, "when": event.year}
    yield _SET, {"owner": owner, "year": event.year, "books": event.books, "pages": event.pages}


HANDLERS: Mapping[type[Any], Handler] = {
    **BookRows(books, _READINGS).handlers,
    events.GoalSet: _goal_set,
}
VIEW = View(name="stats", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True)

_READ = Annotated[int, Meta(description="finished readings", examples=[12])]
_TITLES = Annotated[int, Meta(description="different books among them", examples=[11])]
_PAGES = Annotated[int, Meta(description="their pages, as far as they are known", examples=[4320])]


class Share(msgspec.Struct, frozen=True):
    """The finished readings of one year, month, author, format or language; null is unknown."""

    name: Annotated[str | None, Meta(examples=["2024"])]
    readings: _READ
    titles: _TITLES
    pages: _PAGES


class GoalOfYear(Goal, frozen=True, kw_only=True):
    """The goal of a year."""

    year: Year


class AllStats(msgspec.Struct, frozen=True):
    """The numbers of a whole shelf."""

    books: Annotated[int, Meta(description="books on the shelf", examples=[120])]
    states: Annotated[dict[str, int], Meta(description="books by state", examples=[{"finished": 80}])]
    readings: _READ
    titles: _TITLES
    pages: _PAGES
    years: Annotated[list[Share], Meta(description="by year, the latest first")]
    goals: Annotated[list[GoalOfYear], Meta(description="by year, the latest first")]


class YearStats(msgspec.Struct, frozen=True):
    """The numbers of one year."""

    year: Year
    readings: _READ
    titles: _TITLES
    pages: _PAGES
    abandoned: Annotated[int, Meta(description="readings given up in this year", examples=[1])]
    stars: Annotated[float | None, Meta(description="the mean of the stars", examples=[3.75])]
    goal: Goal
    months: Annotated[list[Share], Meta(description="by month, 1 to 12; null is an unknown month")]
    authors: list[Share]
    formats: list[Share]
    languages: list[Share]


class DayStats(msgspec.Struct, frozen=True):
    """A day of reading."""

    day: Annotated[date, Meta(examples=["2024-03-01"])]
    books: Annotated[int, Meta(description="books with progress, a start or an end", examples=[1])]


class OneYearStats(Owned, forbid_unknown_fields=True, kw_only=True):
    """The year that is asked for."""

    year: Year


def _condition(owner: str | None, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(*on_shelf(books, owner), readings.c.book == books.c.id, readings.c.removed == false(), *more)


def _finished(owner: str | None, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    return _condition(owner, readings.c.end == "finished", *more)


_COUNTS = (
    func.count().label("readings"),
    func.count(books.c.id.distinct()).label("titles"),
    func.coalesce(func.sum(books.c.pages), 0).label("pages"),
)


def _shares(db: Any, name: ColumnElement[Any], condition: ColumnElement[bool]) -> list[Share]:  # noqa: ANN401 (the storage's connection)
    """Return the readings by name, those with the most first."""
    query = select(name.label("name"), *_COUNTS).where(condition).group_by(name)
    rows = [Share(row.name or None, row.readings, row.titles, int(row.pages)) for row in db.execute(query)]
    return sorted(rows, key=lambda share: (-share.readings, share.name is None, share.name or ""))


_YEAR: ColumnElement[Any] = func.substr(readings.c.ended, 1, 4)
_MONTH: ColumnElement[Any] = func.substr(readings.c.ended, 6, 2)


#: Names in one list of shares.
_MOST_SHARES = 100


def all_stats(db: Any, asked: Owned) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return the numbers of the whole shelf."""
    here = on_shelf(books, asked.owner)
    states = dict(db.execute(select(books.c.state, func.count()).where(*here).group_by(books.c.state)).all())
    totals = db.execute(select(*_COUNTS).where(_finished(asked.owner))).one()
    years = _shares(db, _YEAR, _finished(asked.owner))
    years.sort(key=lambda share: share.name or "", reverse=True)
    counts = (totals.readings, totals.titles, int(totals.pages))
    return Answer(AllStats(sum(states.values()), states, *counts, years, _goals(db, asked.owner or "")))


def _goals(db: Any, owner: str) -> list[GoalOfYear]:  # noqa: ANN401 (the storage's connection)
    rows = db.execute(select(goals).filter_by(owner=owner).order_by(goals.c.year.desc()))
    known = (GoalOfYear(books=row.books, pages=row.pages, year=row.year) for row in rows)
    return [goal for goal in known if goal.books is not None or goal.pages is not None]


def year_stats(db: Any, asked: OneYearStats) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return the numbers of one year."""
    in_year = _YEAR.in_([f"{asked.year:04}"])
    finished = _finished(asked.owner, in_year)
    totals = db.execute(select(*_COUNTS, func.avg(readings.c.stars).label("stars")).where(finished)).one()
    abandoned = _condition(asked.owner, readings.c.end == "abandoned", in_year)
    months = _shares(db, _MONTH, finished)
    months.sort(key=lambda share: share.name or "13")
    format_of = func.coalesce(readings.c.format, books.c.format)
    goal = db.execute(
        select(goals.c.books, goals.c.pages).filter_by(owner=asked.owner or "", year=asked.year)
    ).first()
    return Answer(
        YearStats(
            year=asked.year,
            readings=totals.readings,
            titles=totals.titles,
            pages=int(totals.pages),
            abandoned=db.scalar(select(func.count()).where(abandoned)),
            stars=None if totals.stars is None else round(float(totals.stars), 2),
            goal=Goal() if goal is None else Goal(goal.books, goal.pages),
            months=months,
            authors=_shares(db, books.c.author, finished)[:_MOST_SHARES],
            formats=_shares(db, format_of, finished)[:_MOST_SHARES],
            languages=_shares(db, books.c.language, finished)[:_MOST_SHARES],
        )
    )


def days(db: Any, asked: OneYearStats) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return the days of reading of a year: with a progress entry, a start or an end of full precision."""
    year = f"{asked.year:04}-"
    sources = []
    for day, more in (
        (readings.c.started, ()),
        (readings.c.ended, ()),
        (progress.c.on, (progress.c.book == readings.c.book, progress.c.reading == readings.c.reading)),
    ):
        in_year = (func.substr(day, 1, 5) == year, func.length(day) == len("2024-03-01"))
        sources.append(
            select(day.label("day"), books.c.id.label("book")).where(_condition(asked.owner, *more, *in_year))
        )
    found = union_all(*sources).subquery()
    query = select(found.c.day, func.count(found.c.book.distinct()).label("books")).group_by(found.c.day)
    rows = db.execute(query.order_by(found.c.day))
    return Answer([DayStats(date.fromisoformat(row.day), row.books) for row in rows])


QUERY_ROUTES = (
    QueryRoute(
        path="/stats",
        summary="The numbers of the shelf",
        view=VIEW,
        query=all_stats,
        params=Owned,
        returns=AllStats,
    ),
    QueryRoute(
        path="/stats/days",
        summary="The days of reading of a year",
        view=VIEW,
        query=days,
        params=OneYearStats,
        returns=list[DayStats],
    ),
    QueryRoute(
        path="/stats/{year}",
        summary="The numbers of a year",
        view=VIEW,
        query=year_stats,
        params=OneYearStats,
        returns=YearStats,
    ),
)
