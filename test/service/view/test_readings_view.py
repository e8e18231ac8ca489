"""The lists of readings and passages show what the events of each book fold to."""

import asyncio
from collections.abc import Sequence
from functools import reduce
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from support.generated_logs import (
    IDS,
    PARTITIONS,
    added,
    all_pages,
    any_event,
    filled,
    hosts,
    likely,
    of_passages,
    of_readings,
)

from bookshelf.cqrs.message import Event
from bookshelf.log.memory import MemoryLog
from bookshelf.shelf import readings_view
from bookshelf.shelf.book_readings import Reading
from bookshelf.shelf.reading import READING, ReadBook
from bookshelf.shelf.reading_routes import to_passage_answer, to_reading_answer
from bookshelf.storage.sqlite import MemoryStorage

OF_BOOK, ALL_READINGS, PASSAGES_OF, ALL_PASSAGES = readings_view.ROUTES


def books_of(history: Sequence[tuple[str, Event]]) -> dict[str, ReadBook]:
    """What the events of each book on the shelf fold to."""
    events: dict[str, list[Event]] = {}
    for book_id, event in likely(history):
        events.setdefault(book_id, []).append(READING.catalogue.as_read(event))
    folded = {book_id: reduce(READING.evolve, past, ReadBook()) for book_id, past in events.items()}
    return {book_id: book for book_id, book in folded.items() if book.known}


def plain(answer: Any) -> Any:  # noqa: ANN401 (an answer)
    return msgspec.json.decode(msgspec.json.encode(answer))


def day_of(reading: Reading) -> str | None:
    return reading.ended or reading.started


async def compare(history: Sequence[tuple[str, Event]]) -> None:
    log, storage = MemoryLog(PARTITIONS), MemoryStorage()
    await filled(log, history)
    books = books_of(history)
    async with hosts(log, storage) as views:
        host = views["readings"]
        for book_id in {book_id for book_id, _ in history}:
            readings = await all_pages(host, OF_BOOK, readings_view.OfBook, id=book_id)
            passages = await all_pages(host, PASSAGES_OF, readings_view.OfBook, id=book_id)
            if book_id not in books:
                assert readings == passages == [b"NotFound"]
                continue
            by_number, noted = books[book_id].readings.by_number, books[book_id].passages.by_number
            assert readings == [
                plain(to_reading_answer(number, by_number[number]))
                for number in books[book_id].readings.in_order
            ]
            assert passages == [plain(to_passage_answer(*item)) for item in sorted(noted.items())]
        listed = await all_pages(host, ALL_READINGS, readings_view.AllReadings)
        days = {
            (book_id, number): day_of(book.readings.by_number[number])
            for book_id, book in books.items()
            for number in book.readings.in_order
        }
        assert sorted((item["book"], item["number"]) for item in listed) == sorted(days)
        shown = [days[item["book"], item["number"]] for item in listed]
        assert shown == sorted(shown, key=lambda day: day or "", reverse=True)
        with_entries = await all_pages(host, ALL_READINGS, readings_view.AllReadings, entries=True)
        of_book = ("book", "title", "author")
        assert [{name: item[name] for name in item if name not in of_book} for item in with_entries] == [
            plain(to_reading_answer(item["number"], books[item["book"]].readings.by_number[item["number"]]))
            for item in listed
        ]
        quoted = await all_pages(host, ALL_PASSAGES, readings_view.AllPassages)
        assert sorted((item["book"], item["number"]) for item in quoted) == sorted(
            (book_id, number) for book_id, book in books.items() for number in book.passages.by_number
        )
    await storage.close()


of_two_books = st.lists(
    st.tuples(st.sampled_from(IDS[:2]), st.one_of(of_readings, of_readings, of_passages, any_event)),
    min_size=10,
    max_size=60,
)


@settings(max_examples=15, deadline=None)
@given(st.tuples(added, added), of_two_books)
def test_the_lists_show_what_the_events_of_each_book_fold_to(
    books: tuple[Event, Event], history: list[tuple[str, Event]]
) -> None:
    asyncio.run(compare([*zip(IDS, books, strict=False), *history]))
