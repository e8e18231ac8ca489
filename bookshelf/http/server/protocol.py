"""The writing half of a server connection: backpressure, and the detection of clients that do not read."""

import asyncio
from typing import cast

from bookshelf.http.limits import ConnectionLimits

_GONE = "the client has disconnected"


class WriteProtocol(asyncio.Protocol):
    """Sends bytes as fast as the client reads them."""

    def __init__(self, guard: ConnectionLimits) -> None:
        self.guard = guard
        self.peer = ""
        self.secure = False
        self._loop = asyncio.get_running_loop()
        self._wire: asyncio.Transport | None = None
        self._unread = WriteStallTimer(guard)
        self._room: asyncio.Future[None] | None = None
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport and the client's address, which costs a system call once per connection."""
        self._wire = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if isinstance(name, tuple) else ""
        self.secure = transport.get_extra_info("sslcontext") is not None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (why does not matter)
        """Drop the transport and end the wait of `send`."""
        self._wire = None
        self.resume_writing()

    def pause_writing(self) -> None:
        """Make `send` wait."""
        self._full = True

    def resume_writing(self) -> None:
        """End the wait of `send`: the client has read enough."""
        self._full = False
        self._unread.flowed()
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    async def send(self, content: bytes) -> None:
        """Send bytes and wait while the buffer is full. Raises `ConnectionResetError` if disconnected."""
        if self._wire is None or self._wire.is_closing():
            raise ConnectionResetError(_GONE)
        self._wire.write(content)
        if self._full:
            self._room = self._loop.create_future()
            await self._room
            if self._wire is None:
                raise ConnectionResetError(_GONE)

    def hang_up(self) -> None:
        """Close the connection at once and discard unsent bytes."""
        if self._wire is not None:
            self._wire.abort()

    def part(self, within_s: float) -> None:
        """Close after `within_s`: closing with unread bytes of the client could lose the last response."""
        wire = self._wire
        if wire is not None and wire.can_write_eof():
            wire.write_eof()
            self._loop.call_later(within_s, wire.close)
        elif wire is not None:
            wire.close()


class WriteStallTimer:
    """Measures how long unsent bytes have waited; restarts when all or enough of them were sent."""

    __slots__ = ("_guard", "_left", "_since")

    def __init__(self, guard: ConnectionLimits) -> None:
        self._guard = guard
        self._since: float | None = None
        self._left = 0

    def flowed(self) -> None:
        """Restart the measurement, because the client has just read much."""
        self._since = None

    def too_long(self, left: int, now: float) -> bool:
        """Return True if the client reads too slowly, with `left` bytes unsent at the time `now`."""
        if not left:
            self._since = None
        elif self._since is None:
            self._since, self._left = now, left
        elif now - self._since > self._guard.unread_s:
            if self._left - left < self._guard.unread_rate * self._guard.unread_s:
                return True
            self._since, self._left = now, left
        return False
