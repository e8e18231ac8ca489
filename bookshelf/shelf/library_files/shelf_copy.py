"""Reads a shelf through the HTTP API into an index: from its lists, and all of one book from its history."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from operator import itemgetter
from typing import Any
from urllib.parse import quote

import msgspec

from bookshelf.cqrs.api_client import ApiClient
from bookshelf.shelf.book import BOOK
from bookshelf.shelf.book_readings import Readings
from bookshelf.shelf.events import EVENTS, BookRemoved
from bookshelf.shelf.fields import DEFAULTS, BookFields
from bookshelf.shelf.library_files.entry import (
    FileEntry,
    FileGoal,
    FileList,
    FilePassage,
    FileReading,
    ProgressNote,
)
from bookshelf.shelf.library_files.origins import IMPORT, set_by_hand
from bookshelf.shelf.library_files.shelf_index import ShelfBook, ShelfIndex
from bookshelf.shelf.lists import UP_NEXT
from bookshelf.shelf.reading import READING
from bookshelf.shelf.values import Cover

SHELF = "/bookshelf"
_PAGE = 1000
#: Items after which other tasks of the process have their turn.
_TURN = 100


class ShelfFault(Exception):
    """The shelf has answered a query with a problem; the message has it."""


async def copy_books(api: ApiClient, index: ShelfIndex, *, removed: bool) -> None:
    """Put all books with all that they have into an index, also `removed` ones. Raises `ShelfFault`.

    Removed books come without readings and passages.
    """
    for of_removed in (False, True)[: 1 + removed]:
        async for book in pages(api, f"/books?limit={_PAGE}{'&removed=true' if of_removed else ''}"):
            index.put(msgspec.structs.replace(book_of(book), removed=of_removed))
    async for book_id, readings in _by_book(pages(api, f"/readings?entries=true&limit={_PAGE}")):
        index.extend(book_id, readings=map(_reading_of, readings))
    async for book_id, passages in _by_book(pages(api, f"/passages?limit={_PAGE}")):
        passages.sort(key=itemgetter("number"))
        index.extend(book_id, passages=(msgspec.convert(each, FilePassage) for each in passages))


async def _by_book(
    items: AsyncIterator[dict[str, Any]],
) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the items of one book at a time, as far as they follow one another."""
    book, of_book = "", list[dict[str, Any]]()
    async for item in items:
        if item["book"] != book and of_book:
            yield book, of_book
            of_book = []
        book = item["book"]
        of_book.append(item)
    if of_book:
        yield book, of_book


async def copy_shelf(api: ApiClient, index: ShelfIndex) -> None:
    """Put all that is on the shelf into an index: books, lists and goals. Raises `ShelfFault`."""
    await copy_books(api, index, removed=False)
    async for each in pages(api, f"/lists?limit={_PAGE}"):
        entries = tuple([entry async for entry in list_entries(api, each["id"])])
        if entries or each["id"] != UP_NEXT:
            index.put_list(FileList(id=each["id"], name=each["name"], entries=entries))
    for goal in await shelf_goals(api):
        index.put_goal(goal)


async def shelf_goals(api: ApiClient) -> list[FileGoal]:
    """Return the goals of the shelf. Raises `ShelfFault`."""
    answer = await api.get(f"{SHELF}/stats", seeing(""))
    if answer.status != HTTPStatus.OK:
        raise ShelfFault(answer.detail)
    return msgspec.convert(answer.body["goals"], list[FileGoal])


async def list_entries(
    api: ApiClient, list_id: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[FileEntry]:
    """Yield the entries of a list, in its order; none if it does not exist. Raises `ShelfFault`."""
    target = f"/lists/{quote(list_id, safe='')}?all=true&limit={_PAGE}"
    async for entry in pages(api, target, headers, within="entries"):
        yield FileEntry(entry["book"]["id"], datetime.fromisoformat(entry["added"]))


async def set_by_file(api: ApiClient, subject: str, types: Sequence[str]) -> bool:
    """Return True if the newest event of a list or goal with one of these types came from a file."""
    async for change in pages(api, f"/changes?book={quote(subject, safe='')}&limit=100"):
        if any(event["type"] in types for event in change["events"]):
            return str(change.get("correlation") or "").startswith(IMPORT)
    return False


async def read_book(api: ApiClient, book_id: str, after: str = "") -> ShelfBook | None:
    """Return a book with all that it has, on the shelf or removed, not before the position `after`.

    None: there never was such a book. Raises `ShelfFault`.
    """
    target = f"/books/{quote(book_id, safe='')}/history?limit={_PAGE}"
    history = [happened async for happened in pages(api, target, seeing(after))]
    return of_history(book_id, history) if history else None


def seeing(positions: str) -> dict[str, str]:
    """Return the header of a query that is to see what was written before these positions; without, all."""
    return {"Bookshelf-After": positions or "end"}


async def pages(
    api: ApiClient, target: str, headers: Mapping[str, str] | None = None, within: str | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Yield the items of all pages of a list; none if it does not exist. Raises `ShelfFault`.

    `within` is the name of the list in an answer that has more than that.
    """
    page: str | None = SHELF + target
    while page is not None:
        answer = await api.get(page, {**seeing(""), **(headers or {})})
        if answer.status == HTTPStatus.NOT_FOUND:
            return
        if answer.status != HTTPStatus.OK:
            raise ShelfFault(answer.detail)
        for number, item in enumerate(answer.body if within is None else answer.body[within]):
            if number % _TURN == 0:
                await asyncio.sleep(0)
            yield item
        page = answer.next_page


def book_of(answer: Mapping[str, Any]) -> ShelfBook:
    """Return a book as an answer shows it, without readings and passages."""
    fields = {name: answer[name] for name in DEFAULTS if answer.get(name) is not None}
    stars = answer.get("stars", answer.get("rating"))
    return ShelfBook(
        id=answer["id"],
        book=msgspec.convert(fields, BookFields),
        added=datetime.fromisoformat(answer["added"]),
        cover=msgspec.convert(answer.get("cover"), Cover | None),
        stars=None if stars is None else float(stars),
        review=answer.get("review"),
        spoiler=answer.get("spoiler", False),
    )


def _reading_of(answer: Mapping[str, Any]) -> FileReading:
    """Return a reading as an answer shows it."""
    return msgspec.convert(answer, FileReading)


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
