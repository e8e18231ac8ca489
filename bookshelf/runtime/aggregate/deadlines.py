"""The deadlines of aggregates: an index of them, and the timer that queues the command of each one reached.

A moment is the time of a deadline as text: UTC to the microsecond, of fixed length, so that it sorts by time.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple

import structlog

from bookshelf.concurrency import first_of
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.message import Command, Event
from bookshelf.log.port import LogFault
from bookshelf.runtime.aggregate.command import Busy, CommandRequest, InternalCommand, NotOwner
from bookshelf.runtime.aggregate.plugin import OwnerParts, OwnerPlugin
from bookshelf.runtime.aggregate.snapshot import INTERNAL_HASH, INTERNAL_PREFIX, AggregateSnapshot
from bookshelf.runtime.aggregate.state_cache import StateCache

#: Deadlines whose commands are queued together.
_TOGETHER = 500
#: The time after which a deadline whose command could not be carried out is tried again.
_AGAIN = timedelta(minutes=1)
_logger = structlog.get_logger(__name__)


class Deadline(NamedTuple):
    """A moment, and the command that the aggregate wants carried out then."""

    moment: str
    command: Command

    @property
    def id(self) -> str:
        """The id of its command: the same on every instance, so that the command is carried out once."""
        return INTERNAL_PREFIX + self.moment


def moment_of(when: datetime) -> str:
    """Return a time as a moment. Raises ValueError if it has no time zone."""
    if when.tzinfo is None:
        msg = f"{when} has no time zone; a deadline needs one"
        raise ValueError(msg)
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def next_deadline(aggregate: Aggregate[Any], snapshot: AggregateSnapshot[Any]) -> Deadline | None:
    """Return the next deadline of an aggregate; None if it has none, or if that was carried out already."""
    if aggregate.due is None or snapshot.faults is not None:
        return None
    try:
        due = aggregate.due(snapshot.state)
        if due is None:
            return None
        upcoming = Deadline(moment_of(due[0]), due[1])
    except Exception:
        _logger.exception("deadline-unreadable", aggregate=aggregate.name)
        return None
    done = upcoming.id == snapshot.internal or snapshot.recall(upcoming.id) is not None
    return None if done else upcoming


class ExpireDeadline(InternalCommand, frozen=True):
    """Carry out the command of the aggregate's next deadline, if its state has one that is reached."""

    TYPE: ClassVar[str] = "bookshelf.fall-due.v1"

    def decide(
        self, aggregate: Aggregate[Any], snapshot: AggregateSnapshot[Any], request: CommandRequest
    ) -> tuple[str, list[Event]] | None:
        """Return the id of the deadline's command, and its events; None if no deadline is reached."""
        due = next_deadline(aggregate, snapshot)
        if due is None or due.moment > moment_of(request.at):
            return None
        try:
            return due.id, aggregate.decide(snapshot.state, due.command)
        except Refused as refusal:  # not raised: no client waits for it, and a retry would fail too
            where = {"aggregate": aggregate.name, "subject": request.subject, "id": due.id}
            _logger.warning("deadline-refused", **where, why=refusal.detail)
            return due.id, []


class DeadlineIndex:
    """Orders the stored states by the moments of their next deadlines."""

    name = "due"

    def __init__(self, aggregate: Aggregate[Any]) -> None:
        self._aggregate = aggregate

    def entry(self, snapshot: AggregateSnapshot[Any]) -> str | None:
        """Return the moment of an aggregate's next deadline."""
        due = next_deadline(self._aggregate, snapshot)
        return None if due is None else due.moment


#: Deadlines that are read from the store together; twice as many may be in memory.
MOST = 1000


class DeadlineQueue:
    """A heap of all deadlines up to a horizon; later ones stay in the state store once it is flushed.

    `sooner` is set whenever another deadline has become the first.
    """

    def __init__(self, aggregate: Aggregate[Any], states: StateCache, most: int = MOST) -> None:
        self._index = states.index = DeadlineIndex(aggregate)
        self._states = states
        self._most = self._bound = most
        self._moments: dict[str, str] = {}
        #: All of the moments, and outdated ones: a changed deadline is pushed, and its old entry stays.
        self._heap: list[tuple[str, str]] = []
        self._put_off: set[str] = set()
        self._horizon: str | None = ""
        self._noted: set[str] | None = None  # during a look-up in the store: the keys noted since it began
        self.sooner = asyncio.Event()

    def __len__(self) -> int:
        """Return how many deadlines are in memory."""
        return len(self._moments)

    def note(self, keys: Iterable[str]) -> None:
        """Update the deadlines of loaded keys after new events."""
        for key in keys:
            self._put_off.discard(key)
            if self._noted is not None:
                self._noted.add(key)
            moment = self._index.entry(self._states.get(key))
            if moment is None or (self._horizon is not None and moment > self._horizon):
                self._moments.pop(key, None)
            else:
                self._put(key, moment)
        if len(self._moments) - len(self._put_off) > 2 * self._bound:
            self._narrow()

    def put_off(self, key: str, moment: str) -> None:
        """Ignore the deadline of a key until a moment, or until its next event."""
        self._put_off.add(key)
        self._put(key, moment)

    def _put(self, key: str, moment: str) -> None:
        if self._moments.get(key) == moment:
            return
        self._moments[key] = moment
        heapq.heappush(self._heap, (moment, key))
        if self._heap[0] == (moment, key):
            self.sooner.set()
        if len(self._heap) > 2 * len(self._moments) + self._most:
            self._tidy()

    async def first(self, store: Callable[[], Awaitable[None]]) -> str | None:
        """Return the earliest moment; None if there is no deadline. `store` flushes the states."""
        while True:
            while self._heap and not self._holds(self._heap[0]):
                heapq.heappop(self._heap)
            first = self._heap[0][0] if self._heap else None
            if self._horizon is None or (first is not None and first <= self._horizon):
                return first
            await self._read_on(store)

    def by(self, moment: str, most: int) -> list[str]:
        """Remove up to `most` deadlines that are no later than a moment, and return their keys."""
        reached: list[str] = []
        while self._heap and self._heap[0][0] <= moment and len(reached) < most:
            entry = heapq.heappop(self._heap)
            if self._holds(entry):
                key = entry[1]
                reached.append(key)
                del self._moments[key]
                self._put_off.discard(key)
        return reached

    def _holds(self, entry: tuple[str, str]) -> bool:
        moment, key = entry
        return self._moments.get(key) == moment

    async def _read_on(self, store: Callable[[], Awaitable[None]]) -> None:
        """Read further deadlines from the store; keys noted meanwhile keep their newer moments."""
        self._horizon, self._noted = None, set()
        await store()
        wanted = self._most + len(self._moments)
        stored = await self._states.first(wanted)
        for key in stored.keys() - self._moments.keys() - self._noted:
            self._put(key, stored[key])
        self._noted = None
        if len(stored) == wanted:
            self._draw_in(max(stored.values()))

    def _narrow(self) -> None:
        """Keep only the earliest deadlines and those put off, which the store does not know as such."""
        stored = {key: moment for key, moment in self._moments.items() if key not in self._put_off}
        horizon = heapq.nsmallest(self._most, stored.values())[-1]
        kept = {key: moment for key, moment in stored.items() if moment <= horizon}
        self._moments = kept | {key: self._moments[key] for key in self._put_off}
        self._draw_in(horizon)
        self._bound = max(self._most, len(kept))  # many may have the same moment
        self._tidy()

    def _draw_in(self, horizon: str) -> None:
        self._horizon = horizon if self._horizon is None else min(self._horizon, horizon)

    def _tidy(self) -> None:
        self._heap = [(moment, key) for key, moment in self._moments.items()]
        heapq.heapify(self._heap)


class DeadlineTimer(OwnerPlugin):
    """Waits for the first deadline of a partition. The log, and not the timer, records which have fired."""

    def __init__(self, parts: OwnerParts) -> None:
        context, self._states, self._replay, self._queue = parts
        self._aggregate = context.aggregate
        self._clock = context.dependencies.clock
        self._resumed = context.dependencies.resumed
        self._deadlines = DeadlineQueue(context.aggregate, parts.states)

    def note_folded(self, keys: Collection[str]) -> None:
        """Update the deadlines of these keys."""
        self._deadlines.note(keys)

    def tasks(self, ready: asyncio.Event) -> Iterable[Coroutine[Any, Any, None]]:
        """Return the task that fires deadlines, starting once the owner is `ready`."""
        return (self._run(ready),)

    async def _run(self, ready: asyncio.Event) -> None:
        deadlines = self._deadlines
        await ready.wait()
        while True:
            deadlines.sooner.clear()
            first = await deadlines.first(self._replay.store)
            if first is None:
                await deadlines.sooner.wait()
            elif first > moment_of(self._clock.now()):
                when = datetime.fromisoformat(first)
                await first_of((self._clock.until(when), deadlines.sooner.wait()))
            elif not self._resumed.is_set():
                await self._resumed.wait()
            else:
                await self._fire()

    async def _fire(self) -> None:
        now = self._clock.now()
        keys = self._deadlines.by(moment_of(now), _TOGETHER)
        failed = await self._queue_commands(keys, now)
        try:
            # the new events are read back, so that the next deadline of each aggregate is known
            await self._replay.catch_up()
            await self._states.load(keys)
            self._deadlines.note(keys)
        except LogFault:
            failed = keys
        again = moment_of(now + _AGAIN)
        for key in failed:
            self._deadlines.put_off(key, again)

    async def _queue_commands(self, keys: Sequence[str], now: datetime) -> Sequence[str]:
        """Queue the deadline command of each key; return the keys whose command failed."""
        name = self._aggregate.name
        asked: list[asyncio.Future[Any]] = []
        for key in keys:
            try:
                # without an id: the command has that of the deadline, once it is known which
                request = CommandRequest(
                    subject=key, command=ExpireDeadline(), id="", at=now, hash=INTERNAL_HASH, actor=name
                )
                asked.append(self._queue.put(request))
            except (Busy, NotOwner):
                break
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for key, answer in zip(keys, answers, strict=False):
            if isinstance(answer, Exception):
                _logger.error("deadline-failed", aggregate=name, subject=key, why=str(answer))
        left = [key for key, answer in zip(keys, answers, strict=False) if isinstance(answer, Exception)]
        return [*left, *keys[len(asked) :]]
