"""The list of books shows what the events of each book fold to, and sorts by the keys of its fields."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from support.generated_logs import BEGAN, IDS, PARTITIONS, Past, asked, filled, histories, hosts, likely

from bookshelf.cqrs.message import Event
from bookshelf.log.memory import MemoryLog
from bookshelf.shelf import book_list
from bookshelf.shelf.book import BOOK, to_answer
from bookshelf.shelf.book_list import Listing
from bookshelf.shelf.events import BookAdded
from bookshelf.storage.sqlite import MemoryStorage


def folded(history: Sequence[tuple[str, Event]]) -> dict[str, Past]:
    pasts: dict[str, Past] = {}
    for book_id, event in likely(history):
        pasts.setdefault(book_id, Past()).append(event)
    return pasts


async def listed(history: Sequence[tuple[str, Event]], **params: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (Listing's)
    log, storage = MemoryLog(PARTITIONS), MemoryStorage()
    await filled(log, history)
    async with hosts(log, storage) as views:
        answer, _ = await asked(views["booklist"], book_list.ROUTES[0], Listing(**params))
    await storage.close()
    books: list[dict[str, Any]] = msgspec.json.decode(answer)
    return books


@settings(max_examples=25, deadline=None)
@given(histories)
def test_a_row_shows_what_the_readings_of_the_book_fold_to(history: list[tuple[str, Event]]) -> None:
    books = {book["id"]: book for book in asyncio.run(listed(history))}
    pasts = {book_id: past for book_id, past in folded(history).items() if past.added and not past.removed}
    assert books.keys() == pasts.keys()
    for book_id, past in pasts.items():
        fields = msgspec.to_builtins(past.readings.summary.to_fields())
        expected = {name: value for name, value in fields.items() if value not in (None, False)}
        shown = {name: books[book_id].get(name) for name in fields}
        assert {name: value for name, value in shown.items() if value is not None} == expected


def test_an_empty_text_and_the_number_0_are_values() -> None:
    added = BookAdded(title="Dune", author="", added=BEGAN, published="", notes="", copies=0)
    [book] = asyncio.run(listed([(IDS[0], added)]))
    answer = msgspec.json.encode(to_answer(IDS[0], BOOK.fold([added])))
    assert book == msgspec.json.decode(answer)
