"""Who is connected to a port: how many, from where, and who is too slow.

Slowness is looked for by one task in rounds, so that a request pays for no timer.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from bookshelf.runtime.http.guard import Guard


class Watched(Protocol):
    """A connection."""

    peer: str

    def look(self, now: float) -> None:
        """Cut it off if it takes longer than it may."""


class Connections:
    """The connections of one port."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._all: set[Watched] = set()
        self._each: Counter[str] = Counter()
        self.refused = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    def __iter__(self) -> Iterator[Watched]:
        """Go through those that are there now."""
        return iter(tuple(self._all))

    def enter(self, one: Watched) -> bool:
        """Take a connection in; return whether it may stay."""
        self._all.add(one)
        self._each[one.peer] += 1
        guard = self.guard
        fits = not guard.connections or len(self._all) <= guard.connections
        fits = fits and (not guard.connections_each or self._each[one.peer] <= guard.connections_each)
        self.refused += not fits
        return fits

    def leave(self, one: Watched) -> None:
        """Forget a connection."""
        if one in self._all:
            self._all.remove(one)
            self._each[one.peer] -= 1
            if not self._each[one.peer]:
                del self._each[one.peer]

    async def watch(self) -> None:
        """Look at all of them, for ever, some times in each span that may pass."""
        guard = self.guard
        round_s = min(guard.head_s, guard.unread_s) / 5
        while True:
            await asyncio.sleep(round_s)  # sleep: between two rounds
            now = asyncio.get_running_loop().time()
            for one in self:
                one.look(now)
