"""The state expected of a log, folded from its records: its commands, and what the views must answer."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from support.client import Client
from support.logfile import Line, read_log

from bookshelf.shelf.book import BOOK, Shelved, to_answer
from bookshelf.shelf.events import (
    EVENTS,
    BookAdded,
    BookChanged,
    BookRemoved,
    BookReviewed,
    ListEntryAdded,
    ReadingFinished,
)
from bookshelf.shelf.reading_routes import to_reading_answer


class ExpectedState:
    """A fresh fold of a log file."""

    def __init__(self, data: Path) -> None:
        self.lines = read_log(data)
        self.marks: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()
        self._types: Counter[tuple[str, str]] = Counter()
        self.events: Counter[str] = Counter()
        self._books: dict[str, Shelved] = {}
        self._entries: list[str] = []
        self._versions: dict[str, int] = {}
        for line in self.lines:
            self._fold(line)

    def _fold(self, line: Line) -> None:
        envelope = line.envelope
        assert envelope.subject == line.key
        # a command may append several events, each of another type; one that is done twice repeats them
        self._types[envelope.commandid, envelope.type] += 1
        done = self._types[envelope.commandid, envelope.type]
        self.keys[envelope.commandid] = max(self.keys[envelope.commandid], done)
        event = EVENTS.decode(envelope.type, bytes(envelope.data))
        if event is None:
            return
        self.marks[_mark(line.key, event)] += 1
        self.events[line.key] += 1
        if isinstance(event, ListEntryAdded):
            self._entries.append(event.book)
        self._books[line.key] = BOOK.evolve(self._books.get(line.key, BOOK.initial), event)
        self._versions[line.key] = line.offset

    @property
    def position(self) -> str:
        """Where the log ends."""
        return f"bookshelf/0@{self.lines[-1].offset}" if self.lines else ""

    def books(self) -> dict[str, Any]:
        """Return each book that is on the shelf, by id, as it is to be answered."""
        here = {key: to_answer(key, book) for key, book in self._books.items() if book.here}
        found: dict[str, Any] = json.loads(msgspec.json.encode(here))
        return found

    def readings(self, book_id: str) -> list[Any]:
        """Return the readings of a book, by date, as they are to be answered."""
        readings = self._books[book_id].readings
        listed = [to_reading_answer(number, readings.by_number[number]) for number in readings.in_order]
        found: list[Any] = json.loads(msgspec.json.encode(listed))
        return found

    def up_next(self) -> list[str]:
        """Return the books that were put on up-next and are on the shelf, in their order."""
        return [book_id for book_id in self._entries if self._books[book_id].here]

    def stats(self) -> dict[str, Any]:
        """Return the numbers of the shelf that do not depend on years."""
        books = [book for book in self._books.values() if book.here]
        finished = [
            [reading for reading in book.readings.by_number.values() if reading.end == "finished"]
            for book in books
        ]
        return {
            "books": len(books),
            "states": Counter(book.readings.state for book in books),
            "readings": sum(map(len, finished)),
            "titles": sum(map(bool, finished)),
        }

    def tag(self, book_id: str) -> str:
        """Return the entity tag of a book."""
        return f'"{self._versions[book_id]}"'

    def last_read(self, limit: int) -> list[Any]:
        """Return the books read last, newest day first, within a day the last appended first."""
        read = [book for book in self.books().values() if book["state"] == "finished"]
        read.sort(
            key=lambda book: (book["finished"] or book.get("finished_on", ""), self._versions[book["id"]]),
            reverse=True,
        )
        return read[:limit]


def _mark(key: str, event: object) -> str:
    match event:
        case BookRemoved():
            return f"removed {key}"
        case ReadingFinished(review=str(mark)) | BookReviewed(text=str(mark)) | BookChanged(notes=str(mark)):
            return mark
        case BookAdded(title=mark):
            return mark
        case ListEntryAdded(book=book_id):
            return f"entry {book_id}"
    return f"{type(event).__name__} {key}"


def check_views(client: Client, expected: ExpectedState) -> None:
    """Books, the last read, readings, up-next, numbers, histories, tags: as the log has them."""
    client.position = expected.position
    books = {book["id"]: book for book in client.every_book()}
    assert books == expected.books()
    assert client.get("/books/last/read?limit=100").json == expected.last_read(100)
    assert client.get("/books/last/read").json == expected.last_read(5)
    listed = Counter(reading["book"] for reading in client.every_item("/readings"))
    assert listed == {key: count for key in books if (count := len(expected.readings(key)))}
    entries = client.get("/lists/up-next?all=true").json["entries"]
    assert [entry["book"] for entry in entries] == [books[book_id] for book_id in expected.up_next()]
    stats = client.get("/stats").json
    assert {name: stats[name] for name in expected.stats()} == expected.stats()
    for book_id in list(books)[-30:]:
        assert client.get(f"/books/{book_id}/readings").json == expected.readings(book_id)
        assert client.get(f"/books/{book_id}").headers["etag"] == expected.tag(book_id)
        assert len(client.every_item(f"/books/{book_id}/history")) == expected.events[book_id]
