"""Reads a shelf through the HTTP API into an index: books from the list, and all of one from its history."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec

from bookshelf.cqrs.api_client import ApiClient
from bookshelf.shelf.book import BOOK
from bookshelf.shelf.book_readings import Readings
from bookshelf.shelf.events import EVENTS, BookRemoved
from bookshelf.shelf.fields import DEFAULTS, BookFields
from bookshelf.shelf.library_files.entry import FilePassage, FileReading, ProgressNote
from bookshelf.shelf.library_files.origins import set_by_hand
from bookshelf.shelf.library_files.shelf_index import ShelfBook, ShelfIndex
from bookshelf.shelf.reading import READING

SHELF = "/bookshelf"
_PAGE = 1000
#: Histories that are read at a time.
_AT_ONCE = 32


class ShelfFault(Exception):
    """The shelf has answered a query with a problem; the message has it."""


async def copy_books(api: ApiClient, index: ShelfIndex) -> None:
    """Put all books into an index, also removed ones, each as the list shows it. Raises `ShelfFault`."""
    for removed in (False, True):
        async for book in pages(api, f"/books?limit={_PAGE}{'&removed=true' if removed else ''}"):
            index.put(msgspec.structs.replace(book_of(book), removed=removed))


async def copy_whole_books(api: ApiClient, index: ShelfIndex) -> None:
    """Put all books that are on the shelf into an index, with all that they have. Raises `ShelfFault`."""
    ids: list[str] = []
    async for book in pages(api, f"/books?limit={_PAGE}"):
        index.put(book_of(book))
        ids.append(book["id"])
        if len(ids) == _AT_ONCE:
            await _read_all(api, index, ids)
            ids = []
    await _read_all(api, index, ids)
    async for each in pages(api, f"/lists?limit={_PAGE}"):
        position = 0
        async for book_id in list_entries(api, each["id"]):
            position += 1
            index.place(each["name"] or each["id"], book_id, position)


async def list_entries(api: ApiClient, list_id: str) -> AsyncIterator[str]:
    """Yield the ids of the books on a list, in its order. Raises `ShelfFault`."""
    target = f"/lists/{quote(list_id, safe='')}?all=true&limit={_PAGE}"
    async for entry in pages(api, target, within="entries"):
        yield entry["book"]["id"]


async def _read_all(api: ApiClient, index: ShelfIndex, ids: Sequence[str]) -> None:
    for book in await asyncio.gather(*(read_book(api, book_id) for book_id in ids)):
        if book is not None:
            index.put(book)


async def read_book(api: ApiClient, book_id: str, after: str = "") -> ShelfBook | None:
    """Return a book with all that it has, on the shelf or removed, not before the position `after`.

    None: there never was such a book. Raises `ShelfFault`.
    """
    headers = {"Bookshelf-After": after} if after else {}
    target = f"/books/{quote(book_id, safe='')}/history?limit={_PAGE}"
    history = [happened async for happened in pages(api, target, headers)]
    return of_history(book_id, history) if history else None


async def pages(
    api: ApiClient, target: str, headers: Mapping[str, str] | None = None, within: str | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Yield the items of all pages of a list; none if it does not exist. Raises `ShelfFault`.

    `within` is the name of the list in an answer that has more than that.
    """
    page: str | None = SHELF + target
    while page is not None:
        answer = await api.get(page, headers or {})
        if answer.status == HTTPStatus.NOT_FOUND:
            return
        if answer.status != HTTPStatus.OK:
            raise ShelfFault(answer.detail)
        for item in answer.body if within is None else answer.body[within]:
            yield item
        page = answer.next_page


def book_of(answer: Mapping[str, Any]) -> ShelfBook:
    """Return a book as an answer shows it: without readings and passages, which its history has."""
    fields = {name: answer[name] for name in DEFAULTS if answer.get(name) is not None}
    stars = answer.get("stars", answer.get("rating"))
    return ShelfBook(
        id=answer["id"],
        book=msgspec.convert(fields, BookFields),
        added=datetime.fromisoformat(answer["added"]),
        whole=False,
        stars=None if stars is None else float(stars),
        review=answer.get("review"),
        spoiler=answer.get("spoiler", False),
    )


def of_history(book_id: str, history: Sequence[Mapping[str, Any]]) -> ShelfBook:
    """Return the book after the events of its history."""
    decoded = (EVENTS.decode(each["type"], msgspec.json.encode(each["data"])) for each in history)
    events = [event for event in decoded if event is not None]
    book, reading = BOOK.fold(events), READING.fold(events)
    summary, passages = reading.readings.summary, reading.passages.by_number
    removals = [event for event in events if isinstance(event, BookRemoved)]
    return ShelfBook(
        id=book_id,
        book=BookFields(**{name: getattr(book, name) for name in BookFields.__struct_fields__}),
        added=book.added or datetime.fromisoformat(history[0]["time"]),
        removed=book.removed,
        merged_into=removals[-1].merged_into if removals else None,
        readings=tuple(_reading(number, reading.readings) for number in reading.readings.in_order),
        stars=summary.stars,
        review=summary.review,
        spoiler=summary.spoiler,
        passages=tuple(
            FilePassage(**msgspec.structs.asdict(passages[number])) for number in sorted(passages)
        ),
        cover=book.cover,
        version=history[-1]["position"],
        by_hand=tuple(sorted(set_by_hand(history))),
    )


def _reading(number: int, readings: Readings) -> FileReading:
    reading = readings.by_number[number]
    fields = msgspec.structs.asdict(reading)
    for name in ("last_entry", "removed"):
        del fields[name]
    entries = (
        ProgressNote(**msgspec.structs.asdict(reading.entries[entry])) for entry in sorted(reading.entries)
    )
    return FileReading(
        **{**fields, "number": number, "entries": tuple(entries), "progress": reading.progress}
    )
