"""Limits of one listener on what its clients control, and the connections that it has.

The times, sizes and numbers of connections are limited; slow clients are disconnected.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

#: Seconds for which a server that stops waits for the first request of a new connection.
_FIRST_REQUEST_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits in seconds, bytes and counts; 0 connections mean no limit.

    `head_s`: for a request's head, from the connection or from its first byte. `idle_s`: between requests.
    `body_idle_s` and `body_rate`: the longest pause within a body, and the bytes per second below which its
    sender is disconnected after `grace_s`; time in which the handler does not read does not count.
    `linger_s`: for the rest of a body that was answered before its end. `unread_s`: a client that reads fewer
    than `unread_rate` bytes per second of a response over that time is disconnected. `spare`: connections
    beyond the limits that may each request health or metrics once, so that a full port answers probes.
    """

    head_s: float = 10.0
    idle_s: float = 75.0
    body_idle_s: float = 10.0
    body_rate: int = 500
    grace_s: float = 5.0
    linger_s: float = 5.0
    unread_s: float = 30.0
    unread_rate: int = 500
    connections: int = 0
    connections_each: int = 0
    spare: int = 0
    line: int = 8190
    field: int = 8190
    head: int = 64 << 10
    fields: int = 128


class WatchedConnection(Protocol):
    """A connection as `Connections` sees it."""

    peer: str
    #: True until the first request has arrived.
    fresh: bool

    def shut(self) -> None:
        """Close the connection if no request is under way."""

    def abort(self) -> None:
        """Close the connection at once, also with a request under way."""

    def look(self, now: float) -> None:
        """Close the connection if its client is slower than the limits allow."""


class Connections:
    """The connections of one port. `cancels`: a request is cancelled when its client disconnects.

    `working`: connections with a request under way, also if the client has disconnected. `leaving`: True
    while the server drains; each connection then closes after its next response.
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
        #: Connections beyond the limits, which may request health or metrics.
        self.spare: set[WatchedConnection] = set()

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._all)

    def __iter__(self) -> Iterator[WatchedConnection]:
        """Iterate over a copy of the open connections."""
        return iter(tuple(self._all))

    def enter(self, connection: WatchedConnection) -> bool:
        """Add a connection; return False if the connection limits are reached and no spare one is free."""
        self._all.add(connection)
        self._each[connection.peer] += 1
        guard = self.guard
        fits = not guard.connections or len(self._all) <= guard.connections
        fits = fits and (not guard.connections_each or self._each[connection.peer] <= guard.connections_each)
        if not fits and len(self.spare) < guard.spare:
            self.spare.add(connection)
            return True
        self.refused += not fits
        return fits

    def leave(self, connection: WatchedConnection) -> None:
        """Remove a closed connection."""
        if connection in self._all:
            self._all.remove(connection)
            self.spare.discard(connection)
            self._each[connection.peer] -= 1
            if not self._each[connection.peer]:
                del self._each[connection.peer]
            self._ended.set()

    def done(self, connection: WatchedConnection) -> None:
        """Note that the connection has no request under way."""
        self.working.discard(connection)
        self._ended.set()

    async def end(self, drain_s: float) -> None:
        """Drain: wait up to `drain_s` for requests under way, then close the remaining connections."""
        self.leaving = True
        for _ in range(2):
            await asyncio.sleep(0)  # sleep: one iteration of the loop, which reads bytes that have arrived
        for connection in self:
            if not connection.fresh:
                connection.shut()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await self._first_requests()
                await self._all_closed()
        for connection in {*self, *self.working}:
            connection.abort()
        await self._all_closed()

    async def _first_requests(self) -> None:
        """Wait a little for clients that have just connected: their first request is on its way."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_REQUEST_S):
                while any(connection.fresh for connection in self):
                    self._ended.clear()
                    await self._ended.wait()
        for connection in self:
            connection.shut()

    async def _all_closed(self) -> None:
        while self._all or self.working:
            self._ended.clear()
            await self._ended.wait()

    async def watch(self) -> None:
        """Check all connections for slow clients until cancelled, five times in the shortest limit."""
        guard = self.guard
        round_s = min(guard.head_s, guard.unread_s, guard.idle_s) / 5
        while True:
            await asyncio.sleep(round_s)  # sleep: between two rounds
            now = asyncio.get_running_loop().time()
            for connection in self:
                connection.look(now)
