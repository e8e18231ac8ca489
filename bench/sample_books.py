"""Sample books for measurements: the same in every run, with titles and names of realistic length."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

import msgspec

from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.message import Event
from bookshelf.log.port import NewRecord
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.data_folder import DataFolder
from bookshelf.shelf.events import TOPIC, BookAdded, BookFinished
from bookshelf.shelf.fields import NewBook, present

#: Records in one append of a filled log.
_BATCH = 5000
#: One of so many books is finished.
EVERY = 10
_BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
_FIRST = (
    "Left",
    "Silent",
    "Golden",
    "Distant",
    "Broken",
    "Second",
    "Hidden",
    "Winter",
    "Burning",
    "Last",
    "Blue",
)
_SECOND = (
    "Hand",
    "River",
    "Notebook",
    "Mountain",
    "Garden",
    "Machine",
    "Letter",
    "Island",
    "Orchard",
    "Mirror",
)
_THIRD = (
    "of Darkness",
    "of the North",
    "and the Sea",
    "in the Wind",
    "at Noon",
    "of Small Things",
    "without End",
)
_NAMES = (
    "Ursula",
    "Italo",
    "Doris",
    "Chinua",
    "Clarice",
    "Iris",
    "Kazuo",
    "Toni",
    "Jorge",
    "Virginia",
    "Stanislaw",
)
_FAMILIES = (
    "Winter",
    "Calder",
    "Lessing",
    "Adeyemi",
    "Lispector",
    "Murdoch",
    "Tanaka",
    "Morris",
    "Borges",
    "Lemke",
)


def book(number: int) -> NewBook:
    """Return the book of this number."""
    words = (_FIRST[number % 11], _SECOND[number // 11 % 10], _THIRD[number // 110 % 7])
    name = f"{_NAMES[number // 7 % 11]} {_FAMILIES[number // 77 % 10]}"
    return NewBook(title=f"The {' '.join(words)}", author=name, published=str(1900 + number % 120))


def book_id(number: int) -> str:
    """Return the id of the book of this number in a filled log."""
    return str(UUID(int=number << 64 | 0x8000000000000000 | number * 0x9E3779B97F4A7C15 % (1 << 62)))


def records(books: int) -> Iterator[NewRecord]:
    """Yield the records of adding so many books and finishing some of them."""
    for number in range(books):
        at = _BEGAN + timedelta(seconds=number)
        fields = present(book(number))
        yield _record(number, "newbook", BookAdded(**fields, added=at), at)
        if number % EVERY == 0:
            yield _record(
                number, "readbook", BookFinished(finished=date(2024, 3, 1), rating=number % 5 + 1), at
            )


def events(books: int) -> int:
    """Return the number of records that `records` yields."""
    return books + -(-books // EVERY)


def _record(number: int, source: str, event: Event, at: datetime) -> NewRecord:
    envelope = Envelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=str(UUID(int=number << 80 | len(source))),
        source=source,
        type=event.TYPE,
        subject=book_id(number),
        time=at,
        data=msgspec.Raw(msgspec.json.encode(event)),
        actor="reader",
        commandid=str(UUID(int=number << 80 | len(source) << 8)),
    )
    return NewRecord(envelope.subject, encode_envelope(envelope))


async def fill(folder: Path, books: int) -> None:
    """Write a log of so many books into an empty data folder."""
    DataFolder(folder).close()
    log = await SqliteLog.open(folder / "log.sqlite")
    try:
        writer = await log.writer("bench", TOPIC, 0)
        waiting = records(books)
        while batch := list(islice(waiting, _BATCH)):
            await writer.append(batch)
    finally:
        await log.close()
