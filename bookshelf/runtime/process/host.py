"""Runs a process in one instance: one task for each partition that the process's group assigns to it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog

from bookshelf.concurrency import cancel_and_wait
from bookshelf.cqrs.dead_letters import LetterDropped
from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.position import parse_position
from bookshelf.cqrs.process import Process
from bookshelf.log.deduplicated import DeduplicatingTail, open_deduplicated
from bookshelf.log.port import (
    Consumed,
    Fenced,
    Log,
    LogFault,
    LogFull,
    Membership,
    OutcomeUnknown,
    OutOfRange,
    Record,
    Writer,
)
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.metrics import ProcessMeters
from bookshelf.runtime.process.dead_letters import ProcessLetters, read_letters
from bookshelf.runtime.process.step import StepMaker
from bookshelf.runtime.supervisor import Supervisor

#: Records of one step.
MOST = 500
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


class ProcessPartition:
    """Runs a process in one partition: reads events, refusals and requests for dead letters, in steps.

    A step is one append of one writer: its commands, what becomes of dead letters, and the consumed offset.
    """

    def __init__(
        self, process: Process, partition: int, log: Log, clock: Clock, ids: Ids, meters: ProcessMeters
    ) -> None:
        self._process = process
        self._partition = partition
        self._log = log
        self._clock = clock
        self._ids = ids
        self._meters = meters
        self._rejections = {topic: Rejections() for topic in (process.topic, process.answers)}
        self._supervisor = Supervisor(f"process {process.name} in partition {partition}")
        self._writer: Writer
        self._maker: StepMaker
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
        return self._supervisor.fault

    async def run(self) -> None:
        """Run until cancelled; after a fault, open the writer again and read on from the consumed offset."""
        await self._supervisor.keep(self._serve)

    async def _serve(self) -> None:
        process, partition = self._process, self._partition
        async with AsyncExitStack() as stack:
            # opened first: it fences the former owner of this partition, so nothing is appended from here on
            self._writer = await self._log.writer(process.name, process.dead_letters, partition)
            stack.push_async_callback(self._writer.close)
            self.letters = await read_letters(self._log, process.dead_letters, partition)
            self._maker = StepMaker(process, self.letters, self._clock, self._ids)
            tails: dict[str, DeduplicatingTail] = {}
            for topic in (process.topic, process.answers, process.dead_letters):
                tails[topic] = await self._tail(topic)
                stack.push_async_callback(tails[topic].close)
            self.position = tails[process.topic].position
            self._supervisor.note_progress()
            takes = {topic: asyncio.create_task(tail.take(MOST)) for topic, tail in tails.items()}
            try:
                while True:
                    await asyncio.wait(takes.values(), return_when=asyncio.FIRST_COMPLETED)
                    for topic, tail in tails.items():
                        if takes[topic].done():
                            await self._work(topic, takes[topic].result())
                            takes[topic] = asyncio.create_task(tail.take(MOST))
                    await self._note_position(tails[process.topic].position)
            finally:
                await cancel_and_wait(*takes.values())

    async def _tail(self, topic: str) -> DeduplicatingTail:
        partition = self._partition
        self._consumed[topic] = await self._log.consumed(self._process.name, topic, partition)
        try:
            return await open_deduplicated(self._log, topic, partition, self._consumed[topic])
        except OutOfRange as fault:
            start = await self._log.start(topic, partition)
            _logger.error("gap", why=str(fault), begins_at=start)  # noqa: TRY400 (no defect)
            self._consumed[topic] = start
            return await open_deduplicated(self._log, topic, partition, start)

    async def _work(self, topic: str, records: Sequence[Record]) -> None:
        if topic == self._process.dead_letters:
            for record in records:
                await self._handle_request(record)
            return
        if topic == self._process.topic and records:
            self._note_age(records[0])
        rejections = self._rejections[topic]
        for share in rejections.shares(records):
            if rejections.is_suspect(share):
                # an append that cannot be the cause: if the log rejects it too, the log is at fault
                await self._writer.append([], Consumed(topic, self._partition, self._consumed[topic]))
            if rejections.is_unwritable(share):
                self._maker.set_aside(share[0], "the log rejects its commands; they may be too large")
            else:
                for record in share:
                    self._maker.add(record)
            try:
                await self._append(topic, share)
            except (Fenced, OutcomeUnknown, LogFull):
                raise
            except LogFault:
                rejections.note(share)
                raise

    async def _append(self, topic: str, share: Sequence[Record], *, always: bool = False) -> None:
        """Append a step. One without commands is left out until the offset has moved by a whole read."""
        step = self._maker.take()
        if not share:
            return
        after = share[-1].offset + 1
        if not step.records and not always and after - self._consumed[topic] < MOST:
            return
        await self._writer.append(step.records, Consumed(topic, self._partition, after))
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
            self._maker.drop(opened)
        elif opened is not None:
            set_aside = None if opened.letter.command else await self._read(event.position)
            self._maker.retry(opened, set_aside, record)
        await self._append(record.topic, [record], always=True)

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

    async def _note_position(self, position: int) -> None:
        self.position = position
        if self.behind_s and position >= await self._log.end(self._process.topic, self._partition):
            self.behind_s = 0.0


class ProcessHost:
    """Starts and stops a process in the partitions that its group assigns to this instance."""

    _membership: Membership | None = None

    def __init__(self, process: Process, log: Log, clock: Clock, ids: Ids, meters: ProcessMeters) -> None:
        self.process = process
        self._log = log
        self._dependencies = (log, clock, ids, meters)
        self._running: dict[int, tuple[ProcessPartition, asyncio.Task[None]]] = {}

    @property
    def warning(self) -> str | None:
        """Why the process is degraded, or None: a fault, dead letters, or a lag."""
        name, running = self.process.name, [part for part, _ in self._running.values()]
        if (fault := next((part.fault for part in running if part.fault), None)) is not None:
            return fault
        if letters := self.letters:
            return f"process {name} has {letters} dead letters"
        behind_s = max((part.behind_s for part in running), default=0.0)
        return f"process {name} is {behind_s:.0f} s behind" if behind_s else None

    @property
    def letters(self) -> int:
        """The number of open dead letters in the partitions here."""
        return sum(len(part.letters) for part, _ in self._running.values())

    @property
    def positions(self) -> Mapping[int, int]:
        """The offset of the next event, by partition."""
        return {p: part.position for p, (part, _) in self._running.items() if part.position is not None}

    async def start(self) -> None:
        """Join the group. Raises `LogFault`."""
        own = self._log.partitions(self.process.topic)
        for topic in (self.process.answers, self.process.dead_letters):
            if (found := self._log.partitions(topic)) != own:
                msg = f"{topic} has {found} partitions, {self.process.topic} {own}: create it again"
                raise LogFault(msg)
        name, topic = self.process.name, self.process.topic
        self._membership = await self._log.join(name, topic, self._assigned, self._revoked)

    async def stop(self) -> None:
        """Leave the group."""
        if self._membership is not None:
            await self._membership.leave()

    async def _assigned(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            part = ProcessPartition(self.process, partition, *self._dependencies)
            self._running[partition] = part, asyncio.create_task(part.run())

    async def _revoked(self, partitions: frozenset[int]) -> None:
        await cancel_and_wait(*(self._running.pop(partition)[1] for partition in partitions))
