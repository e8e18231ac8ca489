"""The views of lists and stats: what they answer after given events, on SQLite and PostgreSQL alike."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from support.counter_context import said
from support.views import Views, caught_up

from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.route import Answer, Owned
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import partition_of
from bookshelf.runtime.view.host import ViewHost
from bookshelf.shelf import list_view, stats
from bookshelf.shelf.events import (
    TOPIC,
    BookAdded,
    BookRemoved,
    BookRestored,
    GoalSet,
    ListCreated,
    ListEntryAdded,
    ListEntryMoved,
    ListEntryRemoved,
    ListRemoved,
    ListRenamed,
    ListReordered,
    ListRestored,
    ReadingAbandoned,
    ReadingFinished,
    ReadingProgressed,
    ReadingRemoved,
    ReadingStarted,
)
from bookshelf.shelf.goals import Goal
from bookshelf.shelf.list_view import ListQuery, ListsQuery
from bookshelf.shelf.stats import GoalOfYear, OneYearStats, Share
from bookshelf.shelf.values import ReadingProgress
from bookshelf.storage.port import Storage
from bookshelf.storage.sqlite import MemoryStorage

PARTITIONS = 2
AT = datetime(2024, 3, 1, tzinfo=UTC)
Log = Sequence[tuple[str, Event]]


@asynccontextmanager
async def aclosing_storage() -> AsyncIterator[Storage]:
    storage = MemoryStorage()
    yield storage
    await storage.close()


@asynccontextmanager
async def answering(storage: Storage | None, history: Log) -> AsyncIterator[tuple[ViewHost, ViewHost]]:
    """Yield the hosts of the views lists and stats after these events, or in memory."""
    if storage is None:
        async with aclosing_storage() as memory, answering(memory, history) as hosts:
            yield hosts
        return
    log = MemoryLog(PARTITIONS)
    for subject, event in history:
        writer = await log.writer("tests", TOPIC, partition_of(subject, PARTITIONS))
        await writer.append([said(type(event).TYPE, subject, msgspec.json.encode(event))])
    async with Views(log, storage) as views:
        hosts = await views.host(list_view.VIEW), await views.host(stats.VIEW)
        for host in hosts:
            await caught_up(host, log)
        yield hosts


def added(title: str, author: str = "Frank Herbert", pages: int | None = None) -> BookAdded:
    return BookAdded(title=title, author=author, added=AT, pages=pages, language="en")


async def of_list(host: ViewHost, list_id: str, **params: Any) -> tuple[str, list[str], int | None]:  # noqa: ANN401 (of the query)
    """Return the name of a list, the titles on it, and their number."""
    answer: Answer = await host.query(lambda db: list_view.one_list(db, ListQuery(id=list_id, **params)))
    body = msgspec.json.decode(msgspec.json.encode(answer.body))
    return body["name"], [entry["book"]["title"] for entry in body["entries"]], answer.count


BOOKS: Log = [("a", added("A")), ("b", added("B")), ("c", added("C"))]
LIST: Log = [
    ("l", ListCreated(name="Holidays")),
    ("l", ListEntryAdded(book="a", rank="A")),
    ("l", ListEntryAdded(book="b", rank="B")),
    ("l", ListEntryAdded(book="never-added", rank="C")),
    ("l", ListEntryAdded(book="c", rank="D")),
]


async def test_a_list_has_its_books_in_order_and_leaves_out_missing_and_removed_ones(
    storage: Storage,
) -> None:
    history = [*BOOKS, *LIST, ("l", ListEntryMoved(book="c", rank="1")), ("b", BookRemoved())]
    async with answering(storage, history) as (lists, _):
        assert await of_list(lists, "l") == ("Holidays", ["C", "A"], 2)
        assert await of_list(lists, "l", limit=1) == ("Holidays", ["C"], 2)
        with pytest.raises(NotFound):
            await of_list(lists, "l", owner="ann")


async def test_a_list_is_renamed_reordered_removed_and_restored(storage: Storage) -> None:
    changes = [
        ("l", ListRenamed(name="Summer")),
        ("l", ListReordered(ranks={"a": "Z", "b": "Y", "c": "X"})),
        ("l", ListEntryRemoved(book="b")),
        ("l", ListRemoved()),
        ("l", ListRestored()),
    ]
    async with answering(storage, [*BOOKS, *LIST, *changes]) as (lists, _):
        assert await of_list(lists, "l") == ("Summer", ["C", "A"], 2)
    async with answering(None, [*BOOKS, *LIST, *changes[:-1]]) as (lists, _):
        with pytest.raises(NotFound):
            await of_list(lists, "l")


async def test_lists_are_answered_by_name_after_up_next_and_with_the_number_of_their_books(
    storage: Storage,
) -> None:
    history = [*BOOKS, *LIST, ("m", ListCreated(name="éclairs")), ("n", ListCreated(name="Frost"))]
    history += [("up-next", ListCreated(name="")), ("up-next", ListEntryAdded(book="a", rank="A"))]
    history += [("o", ListCreated(name="Hers", owner="ann"))]
    async with answering(storage, history) as (lists, _):
        answer = await lists.query(lambda db: list_view.all_lists(db, ListsQuery()))
        found = msgspec.json.decode(msgspec.json.encode(answer.body))
        shown = [(one["id"], one["name"], one["count"]) for one in found]
        assert shown == [("up-next", "", 1), ("m", "éclairs", 0), ("n", "Frost", 0), ("l", "Holidays", 3)]
        page = await lists.query(lambda db: list_view.all_lists(db, ListsQuery(limit=1)))
        rest = await lists.query(lambda db: list_view.all_lists(db, ListsQuery(after=page.after)))
        names = [msgspec.json.decode(item)["name"] for item in rest.body]
        assert names == ["Frost", "Holidays"]


async def test_an_entry_has_the_time_that_an_import_states(storage: Storage) -> None:
    stated = ListEntryAdded(book="a", rank="A", added=datetime(2020, 1, 2, tzinfo=UTC))
    history = [("a", added("A")), ("l", ListCreated(name="L")), ("l", stated)]
    async with answering(storage, history) as (view, _):
        answer = await view.query(lambda db: list_view.one_list(db, ListQuery(id="l")))
    shown = msgspec.json.decode(msgspec.json.encode(answer.body))
    assert [entry["added"] for entry in shown["entries"]] == ["2020-01-02T00:00:00+00:00"]


async def test_up_next_leaves_out_books_that_are_being_read_or_were_read_since(storage: Storage) -> None:
    history: list[tuple[str, Event]] = []
    for number, book in enumerate("abcdefg", 1):
        history += [(book, added(book.upper())), ("up-next", ListEntryAdded(book=book, rank=f"{number}"))]
    history.insert(0, ("up-next", ListCreated(name="")))
    history += [
        ("a", ReadingStarted(reading=1)),
        ("b", ReadingFinished(reading=1, finished="1999")),
        ("c", ReadingFinished(reading=1, finished="2999-01-01")),
        ("d", ReadingAbandoned(reading=1)),
        ("e", ReadingFinished(reading=1)),
        ("f", ReadingFinished(reading=1)),
        ("f", ReadingRemoved(reading=1)),
    ]
    history.insert(-5, ("d", ReadingStarted(reading=1)))
    async with answering(storage, history) as (lists, _):
        assert await of_list(lists, "up-next") == ("", ["B", "F", "G"], 3)
        assert await of_list(lists, "up-next", all=True) == ("", list("ABCDEFG"), 7)
    async with answering(None, []) as (lists, _):
        assert await of_list(lists, "up-next") == ("", [], 0)


def share(name: str | None, readings: int, titles: int, pages: int) -> Share:
    return Share(name, readings, titles, pages)


async def test_readings_are_counted_by_year_month_author_format_and_language(storage: Storage) -> None:
    history = [
        ("a", added("A", pages=100)),
        ("b", added("B", "Jane Austen")),
        ("c", added("C", pages=50)),
        ("a", ReadingFinished(reading=1, finished="2024", stars=4.0)),
        ("a", ReadingStarted(reading=2, format="audiobook")),
        ("a", ReadingFinished(reading=2, finished="2024-03-05", stars=3.5)),
        ("b", ReadingFinished(reading=1, finished="2024-03")),
        ("b", ReadingFinished(reading=2)),
        ("b", ReadingStarted(reading=3)),
        ("b", ReadingAbandoned(reading=3, on="2024-12-31")),
        ("c", ReadingFinished(reading=1, finished="2024-04-01")),
        ("c", BookRemoved()),
        ("goal-2024", GoalSet(year=2024, books=12)),
        ("goal-2024", GoalSet(year=2024, books=24, pages=9000)),
        ("goal-2024:ann", GoalSet(year=2024, books=1)),
    ]
    async with answering(storage, history) as (_, view):
        found = (await view.query(lambda db: stats.year_stats(db, OneYearStats(year=2024)))).body
        assert (found.readings, found.titles, found.pages, found.abandoned, found.stars) == (
            3,
            2,
            200,
            1,
            3.75,
        )
        assert found.goal == Goal(books=24, pages=9000)
        assert found.months == [share("03", 2, 2, 100), share(None, 1, 1, 100)]
        assert found.authors == [share("Frank Herbert", 2, 1, 200), share("Jane Austen", 1, 1, 0)]
        assert found.formats == [share(None, 2, 2, 100), share("audiobook", 1, 1, 100)]
        assert found.languages == [share("en", 3, 2, 200)]
        everything = (await view.query(lambda db: stats.all_stats(db, Owned()))).body
        assert (everything.books, everything.states) == (2, {"finished": 2})
        assert everything.years == [share("2024", 3, 2, 200), share(None, 1, 1, 0)]
        assert everything.goals == [GoalOfYear(year=2024, books=24, pages=9000)]
        hers = (await view.query(lambda db: stats.all_stats(db, Owned(owner="ann")))).body
        assert (hers.books, hers.readings, hers.years) == (0, 0, [])
    async with answering(None, [*history, ("c", BookRestored())]) as (_, view):
        assert (await view.query(lambda db: stats.all_stats(db, Owned()))).body.books == 3


async def test_days_of_reading_have_progress_a_start_or_an_end_of_full_precision(storage: Storage) -> None:
    progress = ReadingProgress(page=10)
    history = [
        ("a", added("A")),
        ("a", ReadingStarted(reading=1, started="2024-03-01")),
        ("a", ReadingProgressed(reading=1, entry=1, progress=progress, on="2024-03-02")),
        ("a", ReadingProgressed(reading=1, entry=2, progress=progress, on="2024-04")),
        ("a", ReadingFinished(reading=1, finished="2024-03-03")),
        ("b", added("B")),
        ("b", ReadingFinished(reading=1, finished="2024-03-03")),
        ("b", ReadingStarted(reading=2, started="2023-12-31")),
    ]
    async with answering(storage, history) as (_, view):
        found = (await view.query(lambda db: stats.days(db, OneYearStats(year=2024)))).body
    assert [(str(day.day), day.books) for day in found] == [
        ("2024-03-01", 1),
        ("2024-03-02", 1),
        ("2024-03-03", 2),
    ]
