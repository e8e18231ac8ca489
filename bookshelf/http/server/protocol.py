"""The sending half of a connection, and the clock of a client that does not read."""

import asyncio
from typing import cast

from bookshelf.http.limits import ConnectionLimits

_GONE = "the client has gone"


class WriteProtocol(asyncio.Protocol):
    """Sends as fast as the client takes it."""

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
        """Keep who is there: one question to the system a connection, not one a request."""
        self._wire = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if isinstance(name, tuple) else ""
        self.secure = transport.get_extra_info("sslcontext") is not None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (why does not matter)
        """Note that no one is there any more."""
        self._wire = None
        self.resume_writing()

    def pause_writing(self) -> None:
        """Have those who send wait."""
        self._full = True

    def resume_writing(self) -> None:
        """Have them go on: the client takes what it is sent."""
        self._full = False
        self._unread.flowed()
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    async def send(self, content: bytes) -> None:
        """Send, and wait until more may follow. Raises `ConnectionResetError` if the client has gone."""
        if self._wire is None or self._wire.is_closing():
            raise ConnectionResetError(_GONE)
        self._wire.write(content)
        if self._full:
            self._room = self._loop.create_future()
            await self._room
            if self._wire is None:
                raise ConnectionResetError(_GONE)

    def hang_up(self) -> None:
        """Close at once: nothing that is still to be sent is worth waiting for."""
        if self._wire is not None:
            self._wire.abort()

    def part(self, within_s: float) -> None:
        """Close once the client has, or soon: closed with something unread, the last word would be lost."""
        wire = self._wire
        if wire is not None and wire.can_write_eof():
            wire.write_eof()
            self._loop.call_later(within_s, wire.close)
        elif wire is not None:
            wire.close()


class WriteStallTimer:
    """The slow reader's clock. It begins anew whenever nothing is left, or enough has gone."""

    __slots__ = ("_guard", "_left", "_since")

    def __init__(self, guard: ConnectionLimits) -> None:
        self._guard = guard
        self._since: float | None = None
        self._left = 0

    def flowed(self) -> None:
        """Note that much was taken just now."""
        self._since = None

    def too_long(self, left: int, now: float) -> bool:
        """Return whether so many bytes have been left for too long."""
        if not left:
            self._since = None
        elif self._since is None:
            self._since, self._left = now, left
        elif now - self._since > self._guard.unread_s:
            if self._left - left < self._guard.unread_rate * self._guard.unread_s:
                return True
            self._since, self._left = now, left
        return False
