"""Who is connected to a port: how many, from where, and who is too slow.

Slowness is looked for by one task in rounds, so that a request pays for no timer.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from bookshelf.http.limits import ConnectionLimits


class WatchedConnection(Protocol):
    """A connection."""

    peer: str

    def shut(self) -> None:
        """Close it if nothing is under way."""

    def abort(self) -> None:
        """End it, whatever is under way."""

    def look(self, now: float) -> None:
        """Cut it off if it takes longer than it may."""


class Connections:
    """The connections of one port. `cancels`: a request whose client goes away is not worked on any more.

    `working`: those with a request under way, also when their client has gone. `leaving`: each ends with its
    next answer.
    """

    def __init__(self, guard: ConnectionLimits, *, cancels: bool = False) -> None:
        self.guard = guard
        self.cancels = cancels
        self.leaving = False
        self.working: set[WatchedConnection] = set()
        self._ended = asyncio.Event()
        self._all: set[WatchedConnection] = set()
        self._each: Counter[str] = Counter()
        self.refused = 0
        #: Those beyond the limits that may ask for health or metrics.
        self.spare: set[WatchedConnection] = set()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    def __iter__(self) -> Iterator[WatchedConnection]:
        """Go through those that are there now."""
        return iter(tuple(self._all))

    def enter(self, one: WatchedConnection) -> bool:
        """Take a connection in; return whether it may stay, if only as a spare one."""
        self._all.add(one)
        self._each[one.peer] += 1
        guard = self.guard
        fits = not guard.connections or len(self._all) <= guard.connections
        fits = fits and (not guard.connections_each or self._each[one.peer] <= guard.connections_each)
        if not fits and len(self.spare) < guard.spare:
            self.spare.add(one)
            return True
        self.refused += not fits
        return fits

    def leave(self, one: WatchedConnection) -> None:
        """Forget a connection."""
        if one in self._all:
            self._all.remove(one)
            self.spare.discard(one)
            self._each[one.peer] -= 1
            if not self._each[one.peer]:
                del self._each[one.peer]
            self._ended.set()

    def done(self, one: WatchedConnection) -> None:
        """Note that nothing is under way on it."""
        self.working.discard(one)
        self._ended.set()

    async def end(self, drain_s: float) -> None:
        """Let what is under way end, and end what has not by then."""
        self.leaving = True
        for _ in range(2):
            await asyncio.sleep(0)  # sleep: a turn of the loop, in which what was sent by now is read
        for one in self:
            one.shut()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await self._no_one()
        for one in {*self, *self.working}:
            one.abort()
        await self._no_one()

    async def _no_one(self) -> None:
        while self._all or self.working:
            self._ended.clear()
            await self._ended.wait()

    async def watch(self) -> None:
        """Look at all of them, for ever, some times in each span that may pass."""
        guard = self.guard
        round_s = min(guard.head_s, guard.unread_s, guard.idle_s) / 5
        while True:
            await asyncio.sleep(round_s)  # sleep: between two rounds
            now = asyncio.get_running_loop().time()
            for one in self:
                one.look(now)
