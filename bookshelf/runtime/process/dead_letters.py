"""The dead letters of a process in one partition: a fold of that partition of the topic NAME.dead-letters."""

from typing import NamedTuple

import msgspec

from bookshelf.cqrs.dead_letters import DEAD_LETTERS, LetterAdded, LetterDropped, LetterRetried, LetterSettled
from bookshelf.cqrs.envelope import Envelope, decode_envelope, encode_envelope
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.message import Event
from bookshelf.log.port import Log, NewRecord, Record
from bookshelf.runtime.clock import Clock

#: What is held back together, in order: a topic or an aggregate's name, and the key of the records there.
Hold = tuple[str, str]
#: Records of one read while the topic is read to its end.
_READ = 500
_encode = msgspec.json.Encoder().encode


class OpenLetter(NamedTuple):
    """A dead letter that is neither sent nor given up. `since` is the offset at which it last failed."""

    key: str
    letter: LetterAdded
    since: int

    @property
    def hold(self) -> Hold:
        """What later records wait with it."""
        return self.letter.to or self.letter.position.partition("/")[0], self.key


class ProcessLetters:
    """The open dead letters, and the positions of all there ever were: those are never processed again."""

    def __init__(self) -> None:
        self._holds: dict[Hold, dict[str, OpenLetter]] = {}
        self._open: dict[str, Hold] = {}
        self._known: set[str] = set()
        #: The offset after the last record that was folded.
        self.end = 0
        #: The offset after the last request.
        self.requested = 0

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def listed(self) -> list[OpenLetter]:
        """Return the open ones; those of one hold in the order in which they became dead letters."""
        return [opened for letters in self._holds.values() for opened in letters.values()]

    def knows(self, position: str) -> bool:
        """Return True if the record at a position is, or was, a dead letter."""
        return position in self._known

    def find(self, position: str) -> OpenLetter | None:
        """Return the open dead letter at a position."""
        hold = self._open.get(position)
        return None if hold is None else self._holds[hold][position]

    def head(self, hold: Hold) -> OpenLetter | None:
        """Return the first of those that are held back together; None if nothing is held back."""
        return next(iter(self._holds.get(hold, {}).values()), None)

    def apply(self, key: str, event: Event | None, offset: int) -> None:
        """Fold one record of the topic. Requests change nothing: their results are records, too."""
        self.end = max(self.end, offset + 1)
        if isinstance(event, LetterAdded):
            opened = OpenLetter(key, event, offset)
            if self._open.get(event.position, opened.hold) != opened.hold:
                self._close(event.position)
            self._open[event.position] = opened.hold
            self._holds.setdefault(opened.hold, {})[event.position] = opened
            self._known.add(event.position)
        elif isinstance(event, LetterSettled):
            self._close(event.position)
        elif isinstance(event, LetterRetried | LetterDropped):
            self.requested = offset + 1

    def read_request(self, record: Record) -> tuple[LetterRetried | LetterDropped, OpenLetter | None] | None:
        """Return the request in a record, and the open dead letter that it is for; None for other records.

        There is no letter if the request was handled before: it is older than the last failure of the letter.
        """
        event = read_letter(record)
        self.end = max(self.end, record.offset + 1)
        if not isinstance(event, LetterRetried | LetterDropped):
            return None
        opened = self.find(event.position)
        return event, opened if opened is not None and record.offset > opened.since else None

    def _close(self, position: str) -> None:
        hold = self._open.pop(position, None)
        if hold is None:
            return
        del self._holds[hold][position]
        if not self._holds[hold]:
            del self._holds[hold]


def read_letter(record: Record) -> Event | None:
    """Return the event of a record of a topic of dead letters; None for any other."""
    try:
        envelope = decode_envelope(record.value)
        return DEAD_LETTERS.decode(envelope.type, bytes(envelope.data))
    except Malformed:
        return None  # no program of ours appended it


def letter_record(name: str, key: str, event: Event, id_: str, clock: Clock) -> NewRecord:
    """Return a record for the topic of dead letters of a process, for its writer's own partition."""
    envelope = Envelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=id_,
        source=name,
        type=event.TYPE,
        subject=key,
        time=clock.now(),
        data=msgspec.Raw(_encode(event)),
        actor=name,
    )
    return NewRecord(key, encode_envelope(envelope))


async def read_letters(log: Log, topic: str, partition: int) -> ProcessLetters:
    """Return the dead letters of a partition as of now. Raises `LogFault`."""
    letters = ProcessLetters()
    end = await log.end(topic, partition)
    tail = await log.tail(topic, partition, await log.start(topic, partition))
    try:
        while tail.position < end:
            for record in await tail.take(_READ):
                letters.apply(record.key, read_letter(record), record.offset)
    finally:
        await tail.close()
    return letters
