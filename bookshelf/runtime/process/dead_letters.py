"""The dead letters of a process in one partition: a fold of that partition of the topic NAME.dead-letters."""

import re
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from bookshelf.cqrs.dead_letters import DEAD_LETTERS, LetterAdded, LetterDropped, LetterRetried, LetterSettled
from bookshelf.cqrs.envelope import Envelope, decode_envelope, encode_envelope
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.position import parse_position
from bookshelf.log.port import Log, NewRecord, Record

#: What is held back together, in order: a topic or an aggregate's name, and the key of the records there.
Hold = tuple[str, str]
#: Bytes of open dead letters in memory from which on a partition acts on no further event.
MOST_BYTES = 16 << 20
#: Bytes of one in memory, roughly: its position, its numbers and its places in two dicts, without its key.
_BYTES = 768
#: Records of one read while the topic is read to its end.
_READ = 500
#: The id of a command: its process and partition, the offset of its origin, its number.
_OWN_ID = re.compile(r"(.*)-([0-9]{1,18})-([0-9]{1,9})", re.ASCII)
_encode = msgspec.json.Encoder().encode


class OpenLetter(NamedTuple):
    """A dead letter that is neither sent nor given up, without its reason and its command.

    Those are in the record of the topic at the offset `since`, at which it last failed. `attempts` is how
    often it failed, `begun` and `failed` are the times of the first and of the last failure.
    """

    hold: Hold
    position: str
    since: int
    attempts: int
    begun: datetime
    failed: datetime

    @property
    def key(self) -> str:
        """The key of its record."""
        return self.hold[1]

    @property
    def size(self) -> int:
        """The bytes that it takes in memory, roughly."""
        return _BYTES + len(self.key)


class OffsetSet:
    """A set of offsets, kept as ranges in 16 bytes each."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._ends = array("q")

    def __contains__(self, offset: int) -> bool:
        """Return True if the offset was added."""
        place = bisect_right(self._starts, offset) - 1
        return place >= 0 and offset < self._ends[place]

    @property
    def ranges(self) -> int:
        """How many ranges there are."""
        return len(self._starts)

    def add(self, offset: int) -> None:
        """Add an offset."""
        if offset in self:
            return
        place = bisect_right(self._starts, offset)
        follows = place > 0 and self._ends[place - 1] == offset
        precedes = place < len(self._starts) and self._starts[place] == offset + 1
        if follows and precedes:
            self._starts.pop(place)
            self._ends.pop(place - 1)
        elif follows:
            self._ends[place - 1] = offset + 1
        elif precedes:
            self._starts[place] = offset
        else:
            self._starts.insert(place, offset)
            self._ends.insert(place, offset + 1)


class _Id(msgspec.Struct):
    id: str


_id_of = msgspec.json.Decoder(_Id).decode


class ProcessLetters:
    """The open dead letters, and the offsets of all there ever were: those are never processed again."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._holds: dict[Hold, dict[str, OpenLetter]] = {}
        self._open: dict[str, Hold] = {}
        self._known: defaultdict[str, OffsetSet] = defaultdict(OffsetSet)
        self._size = 0
        #: The offset after the last record that was folded.
        self.end = 0
        #: The offset after the last request.
        self.requested = 0

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    @property
    def is_full(self) -> bool:
        """True if no more should become dead letters: those that are open take too much memory."""
        return self._size >= self._most_bytes

    def listed(self) -> list[OpenLetter]:
        """Return the open ones; those of one hold in the order in which they became dead letters."""
        return [opened for letters in self._holds.values() for opened in letters.values()]

    def heads(self) -> list[OpenLetter]:
        """Return the first of each hold."""
        return [next(iter(letters.values())) for letters in self._holds.values()]

    def knows(self, topic: str, offset: int) -> bool:
        """Return True if the record of a topic at an offset is, or was, a dead letter."""
        return topic in self._known and offset in self._known[topic]

    def has_set_aside(self, command: str) -> bool:
        """Return True if the command of this id became a dead letter: its aggregate did not decide it."""
        return self.knows(*_place_of(command))

    def find(self, position: str) -> OpenLetter | None:
        """Return the open dead letter at a position."""
        hold = self._open.get(position)
        return None if hold is None else self._holds[hold][position]

    def head(self, hold: Hold) -> OpenLetter | None:
        """Return the first of those that are held back together; None if nothing is held back."""
        return next(iter(self._holds.get(hold, {}).values()), None)

    def apply(self, key: str, event: Event | None, offset: int, time: datetime) -> None:
        """Fold one record of the topic. Requests change nothing: their results are records, too."""
        self.end = max(self.end, offset + 1)
        if isinstance(event, LetterAdded):
            self._add(key, event, offset, time)
        elif isinstance(event, LetterSettled):
            self._close(event.position)
        elif isinstance(event, LetterRetried | LetterDropped):
            self.requested = offset + 1

    def appended(self, position: str, offset: int) -> None:
        """Note the offset of the newest failure of a dead letter, which was folded before it was appended."""
        self.end = max(self.end, offset + 1)
        opened = self.find(position)
        if opened is not None:
            self._holds[opened.hold][position] = opened._replace(since=offset)

    def read_request(self, record: Record) -> tuple[LetterRetried | LetterDropped, OpenLetter | None] | None:
        """Return the request in a record, and the open dead letter that it is for; None for other records.

        There is no letter if the request was handled before: it is older than the last failure of the letter.
        """
        event, _ = read_letter(record)
        self.end = max(self.end, record.offset + 1)
        if not isinstance(event, LetterRetried | LetterDropped):
            return None
        opened = self.find(event.position)
        return event, opened if opened is not None and record.offset > opened.since else None

    def _add(self, key: str, event: LetterAdded, offset: int, time: datetime) -> None:
        where = parse_position(event.position)
        hold = event.to or where.topic, key
        former = self.find(event.position)
        if former is not None and former.hold != hold:
            self._close(event.position)
            former = None
        attempts = 0 if former is None else former.attempts
        begun = former.begun if former is not None and attempts else time
        opened = OpenLetter(hold, event.position, offset, attempts + (not event.behind), begun, time)
        if former is None:
            self._size += opened.size
        self._open[event.position] = hold
        self._holds.setdefault(hold, {})[event.position] = opened
        self._known[where.topic].add(where.offset)
        if event.command:
            topic, origin = _place_of(_id_of(event.command.encode()).id)
            self._known[topic].add(origin)

    def _close(self, position: str) -> None:
        hold = self._open.pop(position, None)
        if hold is None:
            return
        self._size -= self._holds[hold].pop(position).size
        if not self._holds[hold]:
            del self._holds[hold]


def _place_of(command: str) -> tuple[str, int]:
    """Return a name for all commands of one number and partition, and the offset of their origin."""
    match = _OWN_ID.fullmatch(command)
    return (command, 0) if match is None else (f"{match[1]} {match[3]}", int(match[2]))


def read_letter(record: Record) -> tuple[Event | None, datetime]:
    """Return the event and the time of a record of a topic of dead letters; no event for any other."""
    try:
        envelope = decode_envelope(record.value)
        return DEAD_LETTERS.decode(envelope.type, bytes(envelope.data)), envelope.time
    except Malformed:
        return None, datetime.min.replace(tzinfo=UTC)  # no program of ours appended it


def letter_record(name: str, key: str, event: Event, id_: str, time: datetime) -> NewRecord:
    """Return a record for the topic of dead letters of a process, for its writer's own partition."""
    envelope = Envelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=id_,
        source=name,
        type=event.TYPE,
        subject=key,
        time=time,
        data=msgspec.Raw(_encode(event)),
        actor=name,
    )
    return NewRecord(key, encode_envelope(envelope))


async def read_letters(log: Log, topic: str, partition: int) -> ProcessLetters:
    """Return the dead letters of a partition as of now. Raises `LogFault`."""
    letters = ProcessLetters()
    async for record in _read(log, topic, partition, await log.start(topic, partition)):
        event, time = read_letter(record)
        letters.apply(record.key, event, record.offset, time)
    return letters


async def read_reasons(
    log: Log, topic: str, partition: int, opened: Iterable[OpenLetter]
) -> list[tuple[OpenLetter, LetterAdded]]:
    """Return open dead letters, each with its last failure as the topic has it. Raises `LogFault`."""
    wanted = {letter.since: letter for letter in opened}
    found: dict[int, LetterAdded] = {}
    if not wanted:
        return []
    async for record in _read(log, topic, partition, min(wanted)):
        event, _ = read_letter(record)
        if record.offset in wanted and isinstance(event, LetterAdded):
            found[record.offset] = event
    return [(letter, found[since]) for since, letter in wanted.items() if since in found]


async def _read(log: Log, topic: str, partition: int, offset: int) -> AsyncIterator[Record]:
    end = await log.end(topic, partition)
    tail = await log.tail(topic, partition, offset)
    try:
        while tail.position < end:
            for record in await tail.take(_READ):
                yield record
    finally:
        await tail.close()
