"""The deadlines of a partition: the earliest are in memory, the others in the state store."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.runtime.aggregate.deadlines.deadline import deadline
from bookshelf.runtime.aggregate.state_cache import StateCache

#: Deadlines that are read from the store together; twice as many may be in memory.
MOST = 1000


class DeadlineQueue:
    """A heap of all deadlines up to a horizon; later ones stay in the state store once it is flushed.

    `sooner` is set whenever another deadline has become the first.
    """

    def __init__(self, aggregate: Aggregate[Any], states: StateCache, most: int = MOST) -> None:
        self._aggregate = aggregate
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
            due = deadline(self._aggregate, self._states.get(key))
            if due is None or (self._horizon is not None and due.moment > self._horizon):
                self._moments.pop(key, None)
            else:
                self._put(key, due.moment)
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
        stored = await self._states.earliest(wanted)
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
