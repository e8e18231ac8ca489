"""The stall without an event loop, or another process with its aggregates: real deciders and the real steps
of the process over lists of records.

Its caller decides which owner or process goes on, with how many records, and when offsets are lost.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from support.fixed_infrastructure import CountedIds, FixedClock
from support.stall import AGGREGATES, SELLING
from support.stall_run import Folded

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_message import CommandMessage, CommandRefused
from bookshelf.cqrs.dead_letters import LetterAdded, LetterDropped, LetterRetried
from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.position import parse_position
from bookshelf.cqrs.process import Process
from bookshelf.log.port import NewRecord, Record, partition_of
from bookshelf.runtime.aggregate.command import CommandHandler, CommandRequest
from bookshelf.runtime.aggregate.command_messages import CommandMessageDecoder
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot, SnapshotFold
from bookshelf.runtime.process.dead_letters import ProcessLetters, letter_record, read_letter
from bookshelf.runtime.process.step import ProcessStepMaker

PARTITIONS = 2


class SimulatedStall:
    """A log with consumed offsets; what owners and the process know is read from it anew for each step.

    So each step is also a restart after a crash: nothing but the log and the offsets outlasts it.
    """

    def __init__(
        self, process: Process = SELLING, aggregates: Mapping[str, Aggregate[Any]] = AGGREGATES
    ) -> None:
        self.topic = process.topic
        self._aggregates = aggregates
        self.log: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        self.consumed: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self.process = process
        self._clock, self._ids = FixedClock(), CountedIds()
        self._decoders = {
            name: CommandMessageDecoder(aggregate, PARTITIONS, self._clock)
            for name, aggregate in aggregates.items()
        }

    def append(self, records: Sequence[NewRecord], own: tuple[str, int] = ("", 0)) -> None:
        for new in records:
            topic = new.topic or own[0]
            partition = own[1] if topic == own[0] else partition_of(new.key, PARTITIONS)
            recorded = self.log[topic, partition]
            recorded.append(Record(topic, partition, len(recorded), new.key, new.value))

    def send(self, *commands: NewRecord) -> None:
        """Append commands of a client."""
        self.append(commands)

    def _read(self, name: str, topic: str, partition: int, most: int) -> list[Record]:
        start = self.consumed[name, topic, partition]
        return self.log[topic, partition][start : start + most]

    def own(self, name: str, partition: int, most: int = 500) -> bool:
        """Let an owner carry out commands, each with its events and its answer; return if there were any."""
        aggregate = self._aggregates[name]
        records = self._read(name, aggregate.commands, partition, most)
        fold = SnapshotFold(aggregate)
        snapshots: defaultdict[str, AggregateSnapshot[object]] = defaultdict(lambda: fold.empty)
        events = self.log[self.topic, partition]
        folded = 0
        for record in records:
            for event in events[folded:]:
                snapshots[event.key] = fold.apply(snapshots[event.key], event)[0]
            folded = len(events)
            request, received = self._decoders[name].read(record)
            assert received.refusal is None
            decided = self._decided(name, snapshots[request.subject], request, received.reply_to)
            self.append(decided, (self.topic, partition))
        self.consumed[name, aggregate.commands, partition] += len(records)
        return bool(records)

    def _decided(
        self, name: str, snapshot: AggregateSnapshot[object], request: CommandRequest, reply_to: object
    ) -> list[NewRecord]:
        try:
            events = CommandHandler(self._aggregates[name], self._ids).decide(snapshot, request)
        except Refused as refusal:
            if reply_to is None:  # of a client that wants no reply
                return []
            assert isinstance(reply_to, CommandMessage)
            return [_refusal(name, request, reply_to, refusal)]
        return [NewRecord(request.subject, event.value) for event in events or []]

    def letters(self, partition: int) -> ProcessLetters:
        letters = ProcessLetters()
        for record in self.log[self.process.dead_letters, partition]:
            event, time = read_letter(record)
            letters.apply(record.key, event, record.offset, time)
        return letters

    def act(self, topic: str, partition: int, most: int = 500) -> bool:
        """Let the process make a step of records of one of its topics; return if there were any."""
        letters = self.letters(partition)
        maker = ProcessStepMaker(self.process, letters, self._clock, self._ids)
        records = self._read(self.process.name, topic, partition, most)
        for record in records:
            if topic == self.process.dead_letters:
                self._request(maker, letters, record)
            else:
                maker.add(record)
        self.append(maker.take().records, (self.process.dead_letters, partition))
        self.consumed[self.process.name, topic, partition] += len(records)
        return bool(records)

    def _request(self, maker: ProcessStepMaker, letters: ProcessLetters, record: Record) -> None:
        event, opened = letters.read_request(record) or (None, None)
        if opened is not None and isinstance(event, LetterDropped):
            maker.settle(opened)
        elif opened is not None:
            where = parse_position(opened.position)
            letter, _ = read_letter(self.log[record.topic, record.partition][opened.since])
            assert isinstance(letter, LetterAdded)
            maker.retry(opened, letter, self.log[where.topic, where.partition][where.offset], record)

    def retry(self) -> None:
        """Request the retry of the first dead letter of each key."""
        for partition in range(PARTITIONS):
            letters = self.letters(partition)
            requests = [
                letter_record(
                    "operator",
                    opened.key,
                    LetterRetried(position=opened.position),
                    self._ids.new(),
                    self._clock.now(),
                )
                for opened in letters.heads()
            ]
            self.append(requests, (self.process.dead_letters, partition))

    def run(self) -> None:
        """Go on until nothing is left to do."""
        for _ in range(200):
            worked = [
                self.own(name, partition) for name in self._aggregates for partition in range(PARTITIONS)
            ]
            worked += [
                self.act(topic, partition)
                for topic in (self.topic, self.process.answers, self.process.dead_letters)
                for partition in range(PARTITIONS)
            ]
            if not any(worked):
                return
        raise AssertionError("it does not come to rest")

    def folded(self) -> Folded:
        return Folded([record for p in range(PARTITIONS) for record in self.log[self.topic, p]])

    def lose(self, name: str, topic: str, partition: int, offset: int) -> None:
        """Set a consumed offset back."""
        place = (name, topic, partition)
        self.consumed[place] = min(offset, self.consumed[place])


def _refusal(name: str, request: CommandRequest, message: CommandMessage, fault: Refused) -> NewRecord:
    refused = CommandRefused(
        type=f"urn:bookshelf:problem:{fault.KIND}",
        detail=fault.detail,
        command=msgspec.json.encode(message).decode(),
    )
    envelope = Envelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=f"refused-{message.id}",
        source=name,
        type=refused.TYPE,
        subject=request.subject,
        time=request.at,
        data=msgspec.Raw(msgspec.json.encode(refused)),
        actor=request.actor,
        correlationid=message.correlationid,
        causationid=message.id,
    )
    return NewRecord(request.subject, encode_envelope(envelope), message.replyto)
