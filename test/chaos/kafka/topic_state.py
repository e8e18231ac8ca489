"""The state of a topic, folded without the program's readers, compared with the acknowledged commands."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from support.client import Client
from support.fleet import PARTITIONS
from support.load import Sent

from bookshelf.cqrs.envelope import Envelope, decode_envelope
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.message import Event
from bookshelf.shelf.book import BOOK, Shelved, to_answer
from bookshelf.shelf.events import EVENTS, TOPIC, BookRemoved, ReadingFinished

#: Seconds that the whole topic may take to be read.
_READ_S = 60.0


class Line(NamedTuple):
    """One committed record."""

    partition: int
    offset: int
    key: str
    value: bytes


def _line(partition: int, record: ConsumerRecord) -> Line:
    return Line(partition, record.offset, (record.key or b"").decode(errors="replace"), record.value or b"")


async def _ends(broker: str, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the ends of the partitions, behind transactions whose markers are not written yet.

    A commit is acknowledged before its markers are in the partitions: to a reader of committed records, the
    topic may end before the last acknowledged one.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_uncommitted")
    await consumer.start()
    try:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
    finally:
        await consumer.stop()
    return ends


async def _lines(broker: str) -> list[Line]:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed")
    await consumer.start()
    found: list[Line] = []
    try:
        places = [TopicPartition(TOPIC, p) for p in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await _ends(broker, places)
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                found += [_line(place.partition, record) for record in records]
    finally:
        await consumer.stop()
    return found


def read_topic(broker: str) -> list[Line]:
    """Return every committed record, read from the start with a client of our own."""
    return asyncio.run(asyncio.wait_for(_lines(broker), _READ_S))


class TopicState:
    """A fresh fold of the topic; what is no event of the shelf is none of ours."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.marks: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()
        self.places: dict[str, str] = {}
        self._found: dict[str, list[str]] = {}
        self.ends: dict[int, int] = {}
        self._books: dict[str, Shelved] = {}
        self._read: set[str] = set()
        for line in lines:
            self.ends[line.partition] = line.offset
            self._fold(line)

    def _fold(self, line: Line) -> None:
        try:
            envelope = decode_envelope(line.value)
            event = EVENTS.decode(envelope.type, bytes(envelope.data))
        except Malformed:
            return
        self.commands[envelope.commandid] += 1
        place = f"{TOPIC}/{line.partition}@{line.offset}"
        self.places[place] = envelope.commandid
        if event is not None:
            self._found.setdefault(_mark(envelope.subject, event), []).append(place)
            self._take(envelope, event)

    def _take(self, envelope: Envelope, event: Event) -> None:
        key = envelope.subject
        self.marks[_mark(key, event)] += 1
        if envelope.id not in self._read:  # a repetition is counted and changes nothing
            self._books[key] = BOOK.evolve(self._books.get(key, BOOK.initial), event)
        self._read.add(envelope.id)

    @property
    def position(self) -> str:
        """Where the topic ends, as a query is asked to wait for it."""
        return ", ".join(f"{TOPIC}/{partition}@{offset}" for partition, offset in self.ends.items())

    def books(self) -> dict[str, Any]:
        """Return each book that is on the shelf, by id, as it is to be answered."""
        here = {key: to_answer(key, book) for key, book in self._books.items() if book.here}
        found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(here))
        return found

    def lost(self, sent: Sequence[Sent]) -> list[Sent]:
        """Return the acknowledged commands that are not at the positions of their answers."""
        return [one for one in sent if one.acknowledged and not self._there(one)]

    def found(self, one: Sent) -> str:
        """Return what the topic has of a command, for the message about one that is lost."""
        there = self.places.get(one.position)
        return f"{one.mark} is at {self._found.get(one.mark)}; {one.position} has {there}; ends: {self.ends}"

    def _there(self, one: Sent) -> bool:
        said = self.places.get(one.position)
        return self.marks[one.mark] > 0 and said is not None and one.key in {said, None}

    def doubled(self, sent: Sequence[Sent]) -> list[Sent]:
        """Return the commands, acknowledged or not, that are in the log more than once."""
        return [one for one in sent if self.marks[one.mark] > 1 or self.commands[one.key or "-"] > 1]


def _mark(key: str, event: Event) -> str:
    if isinstance(event, BookRemoved):
        return f"removed {key}"
    if isinstance(event, ReadingFinished):
        return str(event.review)
    said: Mapping[str, Any] = msgspec.to_builtins(event)
    return str(said.get("notes") or said.get("title"))


def differing(answered: Sequence[dict[str, Any]], wanted: Mapping[str, Any]) -> list[str]:
    """Return the ids of the books that are answered otherwise than they should be, or only on one side."""
    books = {book["id"]: book for book in answered}
    return sorted(key for key in books.keys() | wanted.keys() if books.get(key) != wanted.get(key))


def check_views(client: Client, state: TopicState) -> None:
    """Every field of every book, and which were read last: as the topic has it."""
    client.position = state.position
    wanted = state.books()
    wrong = differing(client.every_book(), wanted)
    assert not wrong, (len(wrong), wrong[:3], [wanted.get(key) for key in wrong[:3]])
    read = sorted((one["finished"] for one in wanted.values() if one["state"] == "finished"), reverse=True)
    last = client.get("/books/last/read?limit=100").json
    assert [one["finished"] for one in last] == read[:100]
    assert all(wanted[one["id"]] == one for one in last)
