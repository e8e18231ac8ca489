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
from bookshelf.log.partition import partition_of
from bookshelf.runtime.view.host import ViewHost
from bookshelf.shelf import book_list, last_read
from bookshelf.shelf.book_list import AskedBook, Listing
from bookshelf.shelf.events import TOPIC, BookAdded, BookChanged, BookFinished, BookRemoved
from bookshelf.shelf.history import OneBook
from bookshelf.shelf.last_read import LastRead
from bookshelf.shelf.paging import Order
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
added = st.builds(
    BookAdded,
    title=titles,
    author=titles,
    added=st.integers(0, 5).map(lambda n: BEGAN + timedelta(seconds=n)),
    published=maybe,
    tags=tags,
    pages=st.none() | st.integers(1, 900),
    notes=maybe,
)
changed = st.one_of(
    st.builds(BookChanged, title=titles),
    st.builds(BookChanged, tags=tags, published=maybe),
    st.builds(BookChanged, author=titles, notes=maybe),
)
finished = st.builds(BookFinished, finished=days, rating=st.none() | st.integers(1, 5), review=maybe)
happened = st.tuples(st.sampled_from(IDS), st.one_of(added, added, changed, finished, st.just(BookRemoved())))
histories = st.lists(happened, max_size=40)
searches = st.lists(st.one_of(texts, words.map(" ".join)), min_size=1, max_size=6)


def likely(history: Sequence[tuple[str, Event]]) -> Iterator[tuple[str, Event]]:
    """What an owner would have let happen: a book is added once, before all else, and removed for good."""
    here: set[str] = set()
    gone: set[str] = set()
    for book_id, event in history:
        if book_id in gone or (book_id in here) == isinstance(event, BookAdded):
            continue
        here.add(book_id)
        if isinstance(event, BookRemoved):
            gone.add(book_id)
        yield book_id, event


async def filled(log: MemoryLog, history: Sequence[tuple[str, Event]]) -> None:
    for book_id, event in likely(history):
        writer = await log.writer("newbook", TOPIC, partition_of(book_id, PARTITIONS))
        await writer.append([said(type(event).TYPE, book_id, msgspec.json.encode(event))])


@asynccontextmanager
async def hosts(log: MemoryLog, storage: Storage) -> AsyncIterator[dict[str, ViewHost]]:
    async with Views(log, storage) as views:
        made = {view.name: await views.host(view) for view in (book_list.VIEW, last_read.VIEW)}
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
    answers: list[Any] = [await pages(books, sort=order) for order in get_args(Order)]
    answers += [await pages(books, state=state) for state in ("unread", "finished")]
    answers += [(query, await pages(books, q=query)) for query in queries]
    for book_id in IDS:
        answers.append(await asked(books, book_list.ROUTES[1], AskedBook(book_id)))
        answers.append(await asked(books, book_list.ROUTES[1], AskedBook(book_id, BEGAN)))
        answers.append(await asked(books, book_list.ROUTES[2], OneBook(book_id)))
    answers += [await asked(read, last_read.ROUTES[0], LastRead(limit)) for limit in (2, 100)]
    return answers
