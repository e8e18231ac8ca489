"""Runs a process in one partition: reads three topics, and makes each step one append."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import structlog

from bookshelf.concurrency import cancel_and_wait
from bookshelf.cqrs.dead_letters import LetterAdded, LetterDropped
from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.position import Position, parse_position
from bookshelf.cqrs.process import CommandSender, Process
from bookshelf.log.deduplicated import DeduplicatingTail, open_deduplicated
from bookshelf.log.port import (
    Consumed,
    Fenced,
    Log,
    LogFault,
    LogFull,
    OutcomeUnknown,
    OutOfRange,
    Record,
    Writer,
)
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.metrics import ProcessMeters
from bookshelf.runtime.process.dead_letters import OpenLetter, ProcessLetters, read_letter, read_letters
from bookshelf.runtime.process.step import ProcessStepMaker, StepMaker
from bookshelf.runtime.supervisor import Supervisor

#: Records of one step.
MOST = 500
#: The reason of a record whose commands are rejected.
UNWRITABLE = "the log rejects its commands; they may be too large"
#: Age of a record from which on the process that reads it counts as behind.
BEHIND = timedelta(minutes=1)
_logger = structlog.get_logger(__name__)


class Rejections:
    """Finds the record of a topic whose commands the log rejects, while it accepts other appends."""

    def __init__(self) -> None:
        #: Records before this offset are taken one by one.
        self._alone_before = 0
        self._suspect = -1
        self._times = 0

    def shares(self, records: Sequence[Record]) -> list[Sequence[Record]]:
        """Return the records as they are to be appended: together, or each alone."""
        alone = bool(records) and records[0].offset < self._alone_before
        return [[record] for record in records] if alone else [records]

    def note(self, share: Sequence[Record]) -> None:
        """Note that the log has certainly rejected the step of these records."""
        self._alone_before = max(self._alone_before, share[-1].offset + 1)
        if len(share) == 1:
            self._times = self._times + 1 if share[0].offset == self._suspect else 1
            self._suspect = share[0].offset

    def is_suspect(self, share: Sequence[Record]) -> bool:
        """Return True if the step of this one record was rejected before."""
        return len(share) == 1 and share[0].offset == self._suspect

    def is_unwritable(self, share: Sequence[Record]) -> bool:
        """Return True if it was rejected again although the log had accepted another append."""
        return self.is_suspect(share) and self._times > 1


class SenderPartition:
    """Runs a process or a connector in one partition: reads events, refusals and requests for dead letters.

    Whatever it appends has one writer.
    """

    def __init__(
        self, sender: CommandSender, partition: int, log: Log, clock: Clock, ids: Ids, meters: ProcessMeters
    ) -> None:
        self._sender = sender
        self._partition = partition
        self._log = log
        self._clock = clock
        self._ids = ids
        self._meters = meters
        self._rejections = {topic: Rejections() for topic in (sender.topic, sender.answers)}
        self._supervisor = Supervisor(f"process {sender.name} in partition {partition}")
        self._writer: Writer
        self._tails: dict[str, DeduplicatingTail] = {}
        #: The offset to which the log has consumed each topic.
        self._consumed: dict[str, int] = {}
        self.letters = ProcessLetters()
        #: The offset of the next event; None until the first read.
        self.position: int | None = None
        #: Seconds that the last read event was old, if the process was behind then.
        self.behind_s = 0.0

    @property
    def fault(self) -> str | None:
        """Why it makes no progress now, or None."""
        if self._supervisor.fault is None and self.letters.is_full:
            open_ = f"process {self._sender.name} has {len(self.letters)} dead letters"
            return f"{open_} in partition {self._partition} and reads no event until there are fewer"
        return self._supervisor.fault

    async def run(self) -> None:
        """Run until cancelled; after a fault, open the writer again and read on from the consumed offset."""
        await self._supervisor.keep(self._serve)

    def _begin(self) -> StepMaker:
        """Forget what was read, and return what makes steps with the dead letters as they are now."""
        raise NotImplementedError

    async def _serve(self) -> None:
        sender = self._sender
        async with AsyncExitStack() as stack:
            # opened first: it fences the former owner of this partition, so nothing is appended from here on
            self._writer = await self._log.writer(sender.name, sender.dead_letters, self._partition)
            stack.push_async_callback(self._writer.close)
            self.letters = await read_letters(self._log, sender.dead_letters, self._partition)
            self._maker = self._begin()
            for topic in (sender.topic, sender.answers, sender.dead_letters):
                self._tails[topic] = await self._tail(topic)
                stack.push_async_callback(self._tails[topic].close)
            self.position = self._tails[sender.topic].position
            self._supervisor.note_progress()
            await self._work_on()

    async def _work_on(self) -> None:
        takes: dict[str, asyncio.Task[Sequence[Record]]] = {}
        try:
            while True:
                await self._advance()
                for topic, tail in self._tails.items():
                    if topic not in takes and self._reads(topic):
                        takes[topic] = asyncio.create_task(tail.take(MOST))
                await asyncio.wait({*takes.values(), *self._others()}, return_when=asyncio.FIRST_COMPLETED)
                for topic in [topic for topic, take in takes.items() if take.done()]:
                    await self._work(topic, takes.pop(topic).result())
                await self._note_position()
        finally:
            await cancel_and_wait(*takes.values(), *self._others())

    def _reads(self, topic: str) -> bool:
        """Return True if a topic is read now. Too many dead letters stop what could lead to more."""
        return topic == self._sender.dead_letters or not self.letters.is_full

    def _others(self) -> Collection[asyncio.Task[Any]]:
        """Return what it waits for beside its topics."""
        return ()

    async def _advance(self) -> None:
        """Do what is to be done beside the records that are read."""

    async def _tail(self, topic: str) -> DeduplicatingTail:
        partition = self._partition
        self._consumed[topic] = await self._log.consumed(self._sender.name, topic, partition)
        try:
            return await open_deduplicated(self._log, topic, partition, self._consumed[topic])
        except OutOfRange as fault:
            start = await self._log.start(topic, partition)
            _logger.error("gap", why=str(fault), begins_at=start)  # noqa: TRY400 (no defect)
            self._consumed[topic] = start
            return await open_deduplicated(self._log, topic, partition, start)

    async def _work(self, topic: str, records: Sequence[Record]) -> None:
        if topic == self._sender.dead_letters:
            for record in records:
                await self._handle_request(record)
        elif records:
            if topic == self._sender.topic:
                self._note_age(records[0])
            await self._act(topic, records)

    async def _act(self, topic: str, records: Sequence[Record]) -> None:
        """Append what records lead to."""
        rejections = self._rejections[topic]
        for share in rejections.shares(records):
            if rejections.is_suspect(share):
                await self._probe(topic)
            if rejections.is_unwritable(share):
                self._maker.set_aside(share[0], UNWRITABLE)
            else:
                for record in share:
                    self._maker.add(record)
            try:
                await self._append(topic, share[-1].offset + 1)
            except (Fenced, OutcomeUnknown, LogFull):
                raise
            except LogFault:
                rejections.note(share)
                raise

    async def _probe(self, topic: str) -> None:
        """Append what cannot be the cause of a rejection: if the log rejects it too, the log is at fault."""
        await self._writer.append([], Consumed(topic, self._partition, self._consumed[topic]))

    async def _append(self, topic: str, after: int, *, always: bool = False) -> None:
        """Append a step. One without records is left out until the offset has moved by a whole read."""
        step = self._maker.take()
        if not step.records and not always and after - self._consumed[topic] < MOST:
            return
        offsets = await self._writer.append(step.records, Consumed(topic, self._partition, after))
        for number, position in step.letters.items():
            self.letters.appended(position, offsets[number])
        self._consumed[topic] = after
        self._meters.sent(step.arrows)
        self._supervisor.note_progress()

    async def _handle_request(self, record: Record) -> None:
        """Handle a record of the topic of dead letters; those that are no requests were folded before."""
        request = self.letters.read_request(record)
        if request is None:
            return
        event, opened = request
        if opened is not None and isinstance(event, LetterDropped):
            self._maker.settle(opened)
        elif opened is not None:
            await self._retry(opened, record)
        await self._append(record.topic, record.offset + 1, always=True)

    async def _retry(self, opened: OpenLetter, request: Record) -> None:
        """Add what the retry of a dead letter leads to."""
        added = await self._read(str(Position(request.topic, request.partition, opened.since)))
        letter = None if added is None else read_letter(added)[0]
        if not isinstance(letter, LetterAdded):
            msg = f"the reason of the dead letter {opened.position} is not at its offset {opened.since}"
            raise LogFault(msg)
        record = None if letter.command else await self._read(opened.position)
        self._maker.retry(opened, letter, record, request)

    async def _read(self, position: str) -> Record | None:
        """Return the record at a position; None if it is no longer there."""
        where = parse_position(position)
        try:
            tail = await self._log.tail(where.topic, where.partition, where.offset)
        except OutOfRange:
            return None
        try:
            if await self._log.end(where.topic, where.partition) <= where.offset:
                return None
            records: Sequence[Record] = ()
            while not records:
                records = await tail.take(1)
            return records[0] if records[0].offset == where.offset else None
        finally:
            await tail.close()

    def _note_age(self, record: Record) -> None:
        try:
            age = self._clock.now() - decode_envelope(record.value).time
        except Malformed:
            return
        self.behind_s = age.total_seconds() if age > BEHIND else 0.0

    async def _note_position(self) -> None:
        topic = self._sender.topic
        self.position = self._tails[topic].position
        if self.behind_s and self.position >= await self._log.end(topic, self._partition):
            self.behind_s = 0.0


class ProcessPartition(SenderPartition):
    """Runs a process in one partition. A step is one append: commands, dead letters, the consumed offset."""

    def __init__(
        self, process: Process, partition: int, log: Log, clock: Clock, ids: Ids, meters: ProcessMeters
    ) -> None:
        super().__init__(process, partition, log, clock, ids, meters)
        self._process = process

    def _begin(self) -> StepMaker:
        return ProcessStepMaker(self._process, self.letters, self._clock, self._ids)
