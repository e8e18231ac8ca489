"""A connection that has stopped speaking HTTP: bytes both ways until either side closes (RFC 9110, 7.8)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from aiohttp.web_protocol import RequestHandler

#: Bytes that wait to be passed on, above which no more is taken.
_MUCH = 64 << 10


class Tunnel:
    """What the client says, as a body. It has none until the tunnel begins."""

    def __init__(self, connection: RequestHandler) -> None:
        self._connection = connection
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._some = asyncio.Event()
        self._ended = self._held = False

    async def read(self, limit: int) -> bytes:  # noqa: ARG002 (nothing is never too much)
        """Return nothing: until it is agreed to, this is a GET without a body."""
        return b""

    def begin(self) -> None:
        """Take the connection over: it is agreed that what comes is no longer HTTP."""
        # aiohttp's hook for that: it calls feed_data and feed_eof
        self._connection.set_parser(self)  # type: ignore[arg-type]

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield what comes, until the client closes."""
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._size -= len(piece)
                yield piece
            if self._ended:
                return
            self._hold(back=False)
            self._some.clear()
            await self._some.wait()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what the client said."""
        self._pieces.append(data)
        self._size += len(data)
        self._some.set()
        if self._size > _MUCH:
            self._hold(back=True)
        return False, b""

    def feed_eof(self) -> None:
        """Note that the client has gone."""
        self._ended = True
        self._some.set()

    def _hold(self, *, back: bool) -> None:
        wire = self._connection.transport
        if back is self._held or wire is None:
            return
        self._held = back
        if back:
            wire.pause_reading()
        else:
            wire.resume_reading()
