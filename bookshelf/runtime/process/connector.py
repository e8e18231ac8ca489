"""Runs a connector: calls its provider for events, and appends the commands that the calls lead to."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from typing import Any, NamedTuple

from bookshelf.concurrency import cancel_and_wait
from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.dead_letters import LetterAdded, LetterDropped
from bookshelf.cqrs.envelope import Envelope, decode_envelope
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.cqrs.process import Send
from bookshelf.cqrs.view import recorded_event
from bookshelf.log.port import Fenced, Log, LogFault, LogFull, OutcomeUnknown, Record
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.metrics import ProcessMeters
from bookshelf.runtime.process.dead_letters import OpenLetter
from bookshelf.runtime.process.host import ProcessHost
from bookshelf.runtime.process.partition import MOST, UNWRITABLE, SenderPartition
from bookshelf.runtime.process.provider import Provider
from bookshelf.runtime.process.step import StepMaker, position_of, reason_of

#: The pause after a first failure; it doubles with each further one, up to the last.
FIRST_PAUSE, LAST_PAUSE = timedelta(seconds=1), timedelta(minutes=5)
#: The time from the first failure within which a call is retried; then it waits for an operator.
PATIENCE = timedelta(hours=24)
#: What a call has led to: the record and the envelope of its event, and commands.
Called = tuple[Record, Envelope, list[tuple[str, Send]]]


def due(opened: OpenLetter) -> datetime | None:
    """Return when the call of a dead letter is made again; None if that waits for an operator."""
    if not opened.attempts:  # it was only held back
        return opened.failed
    doubled = min(opened.attempts - 1, 20)  # more would overflow, and the last pause is far shorter
    when = opened.failed + min(FIRST_PAUSE * 2**doubled, LAST_PAUSE)
    return when if when <= opened.begun + PATIENCE else None


class RunningCall(NamedTuple):
    """A call under way: the key of its event, the event's position, and its record if it is no retry."""

    key: str
    position: str
    record: Record | None


class Unwritable(Exception):
    """The log rejects the commands of a call, while it accepts other appends."""


class ConnectorPartition(SenderPartition):
    """Runs a connector in one partition.

    What ended calls lead to is one append, with the consumed offset: it moves past the completed prefix. A
    call that is made again, after a restart or a failure, leads to commands of the same origin, so the
    aggregates take them for repetitions.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what every partition has, and two more)
        self,
        connector: Connector,
        partition: int,
        log: Log,
        clock: Clock,
        ids: Ids,
        meters: ProcessMeters,
        provider: Provider,
        ports: HandlerPorts,
    ) -> None:
        super().__init__(connector, partition, log, clock, ids, meters)
        self._connector = connector
        self._provider = provider
        self._ports = ports
        #: How often the log has rejected the commands of a call alone, by the position of its event.
        self._rejected: dict[str, int] = {}
        #: Whether a retry is started before an event; that alternates, so that neither has to wait for long.
        self._retries_first = False

    def _begin(self) -> StepMaker:
        #: The events that are read and not completed, by offset; those without an envelope are malformed.
        self._unfinished: dict[int, None] = {}
        self._waiting: dict[int, tuple[Record, Envelope | None]] = {}
        self._read_to = 0
        self._calls: dict[asyncio.Task[Called], RunningCall] = {}
        self._busy: set[str] = set()
        #: Retries by time; one that has failed since, or is no head of its key, is left out.
        self._retries: list[tuple[datetime, str, int]] = []
        #: Requests whose calls have not ended: offset, position of the dead letter, its attempts.
        self._requests: dict[int, tuple[str, int]] = {}
        self._requests_read_to = 0
        self._wake: asyncio.Task[None] | None = None
        for opened in self.letters.heads():
            self._plan(opened)
        return StepMaker(self._connector, self.letters, self._clock, self._ids)

    def _others(self) -> Collection[asyncio.Task[Any]]:
        return [*self._calls] if self._wake is None else [*self._calls, self._wake]

    def _reads(self, topic: str) -> bool:
        return super()._reads(topic) and (topic != self._connector.topic or len(self._unfinished) < MOST)

    @property
    def _completed(self) -> int:
        """The offset before which every event is completed."""
        return next(iter(self._unfinished), max(self._read_to, self._consumed[self._connector.topic]))

    async def _act(self, topic: str, records: Sequence[Record]) -> None:
        if topic != self._connector.topic:
            await super()._act(topic, records)
            return
        for record in records:
            try:
                envelope = self._maker.read(record)
            except Malformed:
                envelope = None
            else:
                if envelope is None:
                    continue
            self._unfinished[record.offset] = None
            self._waiting[record.offset] = record, envelope
        self._read_to = records[-1].offset + 1

    async def _advance(self) -> None:
        """Append what ended calls lead to, and start further calls."""
        ended = [(task, self._calls.pop(task)) for task in [*self._calls] if task.done()]
        self._busy.difference_update(call.key for _, call in ended)
        await self._append_calls([one for one in ended if one[1].position not in self._rejected])
        for one in ended:
            if one[1].position in self._rejected:
                await self._append_calls([one])
        self._start()
        await self._append(self._connector.topic, self._completed)
        if self._requests:
            await self._append_requests()
        await self._plan_wake()

    async def _append_calls(self, ended: Sequence[tuple[asyncio.Task[Called], RunningCall]]) -> None:
        if not ended:
            return
        topic, positions = self._connector.topic, [call.position for _, call in ended]
        for task, call in ended:
            rejected = self._rejected.get(call.position, 0)
            if rejected:
                await self._probe(topic)
            fault = Unwritable(UNWRITABLE) if rejected > 1 else _fault_of(task)
            self._add(call, task if fault is None else fault)
        try:
            await self._append(topic, self._completed, always=True)
        except (Fenced, OutcomeUnknown, LogFull):
            raise
        except LogFault:
            for position in positions:
                self._rejected[position] = self._rejected.get(position, 0) + (len(ended) == 1)
            raise
        for position in positions:
            if self._rejected.pop(position, 0) > 1:
                self._rejected[position] = 1  # it is retried, and suspect from the beginning

    def _add(self, call: RunningCall, outcome: asyncio.Task[Called] | BaseException) -> None:
        """Add what an ended call leads to: commands, or a dead letter that is retried."""
        opened = None if call.record is not None else self.letters.find(call.position)
        if call.record is not None:
            del self._unfinished[call.record.offset]
        try:
            if isinstance(outcome, BaseException):
                raise outcome  # noqa: TRY301 (a failure is handled alike, whatever failed)
            record, envelope, sends = outcome.result()
            self._maker.send(sends, position_of(record), envelope, envelope.subject)
        except Exception as fault:  # noqa: BLE001 (whatever a call raises, only this key is affected)
            if call.record is not None:
                self._maker.fail(call.record, fault)
            elif opened is not None:
                letter = LetterAdded(position=call.position, reason=reason_of(fault))
                self._maker.fail_again(opened, letter, fault)
        else:
            if opened is not None:
                self._maker.settle(opened)
        self._plan(self.letters.head((self._connector.topic, call.key)))

    def _plan(self, opened: OpenLetter | None) -> None:
        """Note when the call of the first dead letter of a key is made again."""
        if opened is not None and opened.hold[0] == self._connector.topic:
            when = due(opened)
            if when is not None:
                heappush(self._retries, (when, opened.position, opened.attempts))

    def _start(self) -> None:
        """Start the calls that may be started."""
        while self._provider.admits:
            self._retries_first = not self._retries_first
            starts = [self._start_event, self._start_retry]
            if not any(start() for start in (reversed(starts) if self._retries_first else starts)):
                return

    def _start_event(self) -> bool:
        for offset, (record, envelope) in [*self._waiting.items()]:
            if record.key in self._busy:
                continue
            del self._waiting[offset]
            if envelope is not None and not self._maker.hold_back(record):
                self._call(RunningCall(record.key, str(position_of(record)), record))
                return True
            if envelope is None:
                self._maker.add(record)  # it becomes a dead letter
            del self._unfinished[offset]
        return False

    def _start_retry(self) -> bool:
        while self._retries and self._retries[0][0] <= self._clock.now():
            _, position, attempts = heappop(self._retries)
            opened = self.letters.find(position)
            is_head = opened is not None and self.letters.head(opened.hold) is opened
            if opened is None or not is_head or opened.attempts != attempts or opened.key in self._busy:
                continue
            self._call(RunningCall(opened.key, position, None))
            return True
        return False

    def _call(self, call: RunningCall) -> None:
        self._busy.add(call.key)
        self._calls[self._provider.start(partial(self._make, call))] = call

    async def _make(self, call: RunningCall) -> Called:
        record = call.record or await self._read(call.position)
        if record is None:
            msg = f"the record {call.position} is no longer in its topic"
            raise Malformed(msg)
        envelope = decode_envelope(record.value)
        event = self._connector.catalogue.decode(envelope.type, bytes(envelope.data))
        if event is None or type(event) not in self._connector.calls:
            return record, envelope, []
        recorded = recorded_event(event, envelope, record.partition, record.offset)
        return record, envelope, await self._connector.call(recorded, self._ports)

    async def _plan_wake(self) -> None:
        """Wait for the next retry, or until the provider admits a call."""
        if self._wake is not None:
            await cancel_and_wait(self._wake)
            self._wake = None
        if not self._provider.admits:
            self._wake = asyncio.create_task(self._provider.free())
        elif self._retries:
            self._wake = asyncio.create_task(self._clock.until(self._retries[0][0]))

    async def _handle_request(self, record: Record) -> None:
        request = self.letters.read_request(record)
        if request is None:
            return
        event, opened = request
        self._requests_read_to = record.offset + 1
        if opened is not None and isinstance(event, LetterDropped):
            self._maker.settle(opened)
            self._plan(self.letters.head(opened.hold))
        elif opened is not None and opened.hold[0] == self._connector.topic:
            self._requests[record.offset] = opened.position, opened.attempts
            heappush(self._retries, (self._clock.now(), opened.position, opened.attempts))
            return
        elif opened is not None:
            await self._retry(opened, record)
        await self._append(record.topic, next(iter(self._requests), record.offset + 1), always=True)

    async def _append_requests(self) -> None:
        """Move the offset of requests past those whose calls have ended."""
        open_ = {
            offset: (position, attempts)
            for offset, (position, attempts) in self._requests.items()
            if (opened := self.letters.find(position)) is not None and opened.attempts == attempts
        }
        if len(open_) < len(self._requests):
            self._requests = open_
            after = next(iter(open_), self._requests_read_to)
            await self._append(self._connector.dead_letters, after, always=True)

    async def _note_position(self) -> None:
        await super()._note_position()
        if self._unfinished:
            self.position = self._completed


def _fault_of(task: asyncio.Task[Called]) -> BaseException | None:
    return ConnectionAbortedError("the call was cancelled") if task.cancelled() else task.exception()


class ConnectorHost(ProcessHost):
    """Starts and stops a connector in the partitions that its group assigns to this instance."""

    def __init__(
        self,
        connector: Connector,
        log: Log,
        clock: Clock,
        ids: Ids,
        meters: ProcessMeters,
        ports: HandlerPorts,
    ) -> None:
        self._provider = provider = Provider(connector, clock, meters)
        super().__init__(
            connector,
            log,
            lambda p: ConnectorPartition(connector, p, log, clock, ids, meters, provider, ports),
        )

    @property
    def warning(self) -> str | None:
        """Why the connector is degraded, or None: its provider, or what a process can have."""
        return self._provider.warning or super().warning
