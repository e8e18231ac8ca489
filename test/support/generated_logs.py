"""Any log of the shelf, and every question that its views are asked."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import msgspec
from hypothesis import strategies as st
from support.counter_context import said
from support.views import Views, caught_up

from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.route import Answer, QueryRoute
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import partition_of
from bookshelf.runtime.view.host import ViewHost
from bookshelf.shelf import book_list, last_read, readings_view
from bookshelf.shelf.book_list import AskedBook, Listing, Order
from bookshelf.shelf.book_readings import Readings, evolve
from bookshelf.shelf.events import (
    EVENTS,
    TOPIC,
    BookAdded,
    BookChanged,
    BookFinished,
    BookRated,
    BookRemoved,
    BookRestored,
    BookReviewed,
    PassageAdded,
    PassageChanged,
    PassageRemoved,
    ProgressRemoved,
    ReadingAbandoned,
    ReadingCorrected,
    ReadingFinished,
    ReadingPaused,
    ReadingProgressed,
    ReadingRemoved,
    ReadingReopened,
    ReadingRestored,
    ReadingResumed,
    ReadingStarted,
)
from bookshelf.shelf.fields import BookState
from bookshelf.shelf.history import OneBook
from bookshelf.shelf.last_read import LastRead
from bookshelf.shelf.values import Contributor, ReadingProgress, SeriesEntry
from bookshelf.storage.port import Storage

PARTITIONS = 2
IDS = tuple(f"book-{n}" for n in range(8))
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)

#: Letters with and without marks and cases, of several scripts; digits; what parts words and what does not.
LETTERS = "aAbzZáÁàÄäâéÉèêñÑçÇøØßłŁžŽźőŰÅσΣςάΆяЯйЙёчㅎ한국日本のばَم09"  # noqa: RUF001 (as alike as they look)
PARTS = " -_'’.,:;&|!()*\"\\/%~`´\u00a0"  # noqa: RUF001 (as above)
texts = st.text(st.sampled_from(LETTERS + PARTS), min_size=1, max_size=12)
words = st.lists(
    st.sampled_from(["Dune", "dune's", "Éclair", "e\u0301clair", "naïve", "ΣΑΣ", "2001", "x" * 300]),
    max_size=3,
)
titles = st.one_of(
    texts,
    words.map(" ".join),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8),
)
maybe = st.none() | titles
tags = st.lists(texts, max_size=3).map(tuple)
days = st.none() | st.dates(date(1999, 1, 1), date(2026, 1, 1))
contributors = st.lists(
    st.builds(Contributor, name=titles, role=st.sampled_from(["author", "editor"]), sort=maybe), max_size=2
).map(tuple)
series = st.lists(
    st.builds(SeriesEntry, name=titles, number=st.none() | st.sampled_from(["1", "2.5", "10"])), max_size=2
).map(tuple)
languages = st.sampled_from([None, "en", "de", "French", "?"])
years = st.sampled_from([None, "1965", "c. 800 BC", "May 2007", "n.d."])
added = st.builds(
    BookAdded,
    title=titles,
    author=titles,
    added=st.integers(0, 5).map(lambda n: BEGAN + timedelta(seconds=n)),
    published=years | maybe,
    tags=tags,
    pages=st.none() | st.integers(1, 900),
    notes=maybe,
    language=languages,
    contributors=st.just(()) | contributors,
    series=st.just(()) | series,
    sort_title=st.none() | texts,
)
changed = st.one_of(
    st.builds(BookChanged, title=titles),
    st.builds(BookChanged, tags=tags, published=maybe),
    st.builds(BookChanged, author=titles, notes=maybe),
    st.builds(BookChanged, language=languages),
    st.builds(BookChanged, sort_title=st.none() | texts),
    st.builds(BookChanged, series=series),
)
finished = st.builds(BookFinished, finished=days, rating=st.none() | st.integers(1, 5), review=maybe)
partial_dates = st.sampled_from([None, "2024", "2024-03", "2024-03-01", "2023-12-31"])
stars = st.none() | st.integers(1, 20).map(lambda quarters: quarters / 4)
numbers = st.integers(1, 3)
progress = st.one_of(
    st.builds(ReadingProgress, page=st.integers(1, 100), of=st.none() | st.just(100)),
    st.builds(ReadingProgress, percent=st.integers(0, 100).map(float)),
)
of_readings = st.one_of(
    st.builds(ReadingStarted, reading=numbers, started=partial_dates),
    st.builds(ReadingProgressed, reading=numbers, entry=numbers, progress=progress, on=partial_dates),
    st.builds(ProgressRemoved, reading=numbers, entry=numbers),
    st.builds(ReadingPaused, reading=numbers),
    st.builds(ReadingResumed, reading=numbers),
    st.builds(ReadingFinished, reading=numbers, finished=partial_dates, stars=stars, review=maybe),
    st.builds(ReadingAbandoned, reading=numbers, on=partial_dates),
    st.builds(ReadingCorrected, reading=numbers, ended=partial_dates),
    st.builds(ReadingReopened, reading=numbers),
    st.builds(ReadingRemoved, reading=numbers),
    st.builds(ReadingRestored, reading=numbers),
    st.builds(BookRated, stars=stars, reading=st.none() | numbers),
    st.builds(BookReviewed, text=maybe, spoiler=st.booleans(), reading=st.none() | numbers),
)
of_passages = st.one_of(
    st.builds(PassageAdded, passage=numbers, quote=maybe, note=maybe),
    st.builds(PassageChanged, passage=numbers, quote=maybe),
    st.builds(PassageRemoved, passage=numbers),
)
any_event = st.one_of(
    *(added, added, changed, finished, of_readings, of_readings, of_passages),
    *(st.just(BookRemoved()), st.just(BookRestored())),
)
happened = st.tuples(st.sampled_from(IDS), any_event)
histories = st.lists(happened, max_size=40)
searches = st.lists(st.one_of(texts, words.map(" ".join)), min_size=1, max_size=6)


class Past:
    """What has happened to a book, as far as it decides what can happen next."""

    def __init__(self) -> None:
        self.added = self.removed = False
        self.readings = Readings()
        self.passages: set[int] = set()

    def allows(self, event: Event) -> bool:  # noqa: PLR0911 (one for each kind of event)
        """Whether an owner would have let it happen: a book is added once, before all else."""
        if isinstance(event, BookAdded):
            return not self.added
        if not self.added or self.removed:
            return self.removed and isinstance(event, BookRestored)
        match event:
            case BookRestored():
                return False
            case BookFinished():
                return not self.readings.by_number
            case PassageAdded(passage=number):
                return number not in self.passages
            case PassageChanged(passage=number) | PassageRemoved(passage=number):
                return number in self.passages
        reading: int | None = getattr(event, "reading", None)
        return reading is None or self._allows_reading(reading, event)

    def _allows_reading(self, number: int, event: Event) -> bool:  # noqa: PLR0911 (as above)
        reading, opened = self.readings.by_number.get(number), self.readings.open
        match event:
            case ReadingStarted():
                return opened is None and number == self.readings.next_number
            case ReadingFinished() if reading is None:
                return number == self.readings.next_number
            case ReadingRestored():
                return reading is not None and reading.removed and not (reading.is_open and opened)
            case _ if reading is None or reading.removed:
                return False
            case ReadingReopened():
                return opened is None and not reading.is_open
            case ReadingProgressed(entry=entry):
                return reading.is_open and entry == reading.last_entry + 1
            case ProgressRemoved(entry=entry):
                return reading.is_open and entry in reading.entries
            case ReadingPaused() | ReadingResumed() | ReadingAbandoned():
                return reading.is_open
            case ReadingCorrected():
                return not reading.is_open
        return True

    def append(self, event: Event) -> None:
        """Fold an event."""
        match event:
            case BookAdded():
                self.added = True
            case BookRemoved() | BookRestored():
                self.removed = isinstance(event, BookRemoved)
            case PassageAdded(passage=number):
                self.passages.add(number)
            case PassageRemoved(passage=number):
                self.passages.remove(number)
        converted = EVENTS.decode(type(event).TYPE, msgspec.json.encode(event))
        assert converted is not None
        self.readings = evolve(self.readings, converted)


def likely(history: Sequence[tuple[str, Event]]) -> Iterator[tuple[str, Event]]:
    """What owners would have let happen."""
    pasts: dict[str, Past] = {}
    for book_id, event in history:
        if type(event).TYPE.startswith("shelf.list-"):
            yield book_id, event
            continue
        past = pasts.setdefault(book_id, Past())
        if past.allows(event):
            past.append(event)
            yield book_id, event


async def filled(log: MemoryLog, history: Sequence[tuple[str, Event]]) -> None:
    for book_id, event in likely(history):
        writer = await log.writer("newbook", TOPIC, partition_of(book_id, PARTITIONS))
        await writer.append([said(type(event).TYPE, book_id, msgspec.json.encode(event))])


@asynccontextmanager
async def hosts(log: MemoryLog, storage: Storage) -> AsyncIterator[dict[str, ViewHost]]:
    async with Views(log, storage) as views:
        made = {
            view.name: await views.host(view) for view in (book_list.VIEW, last_read.VIEW, readings_view.VIEW)
        }
        for host in made.values():
            await caught_up(host, log)
        yield made


async def asked(host: ViewHost, route: QueryRoute, params: Any) -> tuple[bytes, str | None]:  # noqa: ANN401
    """The answer's JSON, or the refusal's name; and the cursor of the next page."""
    try:
        answer: Answer = await host.query(lambda db: route.query(db, params))
    except Refused as refusal:
        return type(refusal).__name__.encode(), None
    return msgspec.json.encode(answer.body), answer.after


async def pages(host: ViewHost, **params: Any) -> list[bytes]:  # noqa: ANN401 (Listing's fields)
    found: list[bytes] = []
    after: str | None = None
    while True:
        page, after = await asked(host, book_list.ROUTES[0], Listing(limit=3, after=after, **params))
        found.append(page)
        if after is None:
            return found


async def every_answer(views: dict[str, ViewHost], queries: Sequence[str]) -> list[Any]:
    books, read = views["booklist"], views["lastread"]
    orders = [order for order in get_args(Order) if order.lstrip("-") not in {"relevance", "position"}]
    answers: list[Any] = [await pages(books, sort=order) for order in orders]
    answers += [await pages(books, state=(state,)) for state in get_args(BookState)]
    answers += [await pages(books, removed=True)]
    answers += [(query, await pages(books, q=query)) for query in queries]
    answers += [(query, await pages(books, q=query, sort="relevance")) for query in queries]
    for book_id in IDS:
        answers.append(await asked(books, book_list.ROUTES[1], AskedBook(id=book_id)))
        answers.append(await asked(books, book_list.ROUTES[1], AskedBook(id=book_id, as_of=BEGAN)))
        answers.append(await asked(books, book_list.ROUTES[2], OneBook(id=book_id)))
    answers += [await asked(read, last_read.ROUTES[0], LastRead(limit=limit)) for limit in (2, 100)]
    return answers + await reading_answers(views["readings"], queries)


async def reading_answers(host: ViewHost, queries: Sequence[str]) -> list[Any]:
    of_book, everything, passages_of, every_passage = readings_view.ROUTES
    states = (None, "reading", "paused", "finished", "abandoned")
    asked_for: list[tuple[QueryRoute, Any, dict[str, Any]]] = [
        *((route, readings_view.OfBook, {"id": id_}) for id_ in IDS for route in (of_book, passages_of)),
        *((everything, readings_view.AllReadings, {"state": state}) for state in states),
        *((everything, readings_view.AllReadings, {"year": year}) for year in (2023, 2024)),
        *((every_passage, readings_view.AllPassages, {"q": query}) for query in (None, *queries)),
    ]
    return [await all_pages(host, route, kind, **params) for route, kind, params in asked_for]


async def all_pages(host: ViewHost, route: QueryRoute, kind: Any, **params: Any) -> list[Any]:  # noqa: ANN401 (any route's)
    """The items of all pages, or the name of the refusal."""
    items: list[Any] = []
    after: str | None = None
    while True:
        page, after = await asked(host, route, kind(limit=2, after=after, **params))
        if not page.startswith(b"["):
            return [page]
        items += msgspec.json.decode(page)
        if after is None:
            return items
