"""A connection that has stopped speaking HTTP: bytes both ways until either side closes (RFC 9110, 7.8)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

#: Bytes that wait to be passed on, above which no more is taken.
_MUCH = 64 << 10


class Tunnel:
    """What the client says, as a body. It is for the service once that has agreed, and HTTP if it has not."""

    def __init__(self, flow: Callable[[], None]) -> None:
        self._flow = flow
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._some = asyncio.Event()
        self._ended = False

    @property
    def full(self) -> bool:
        """Whether no more of it should come just now."""
        return self._size > _MUCH

    async def read(self, limit: int) -> bytes:  # noqa: ARG002 (nothing is never too much)
        """Return nothing: until it is agreed to, this is a GET without a body."""
        return b""

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield what comes, until the client closes."""
        while True:
            while self._pieces:
                yield self.taken()
            if self._ended:
                return
            self._some.clear()
            await self._some.wait()

    def taken(self) -> bytes:
        """Return what has come so far."""
        content = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._flow()
        return content

    def feed(self, data: bytes) -> None:
        """Take what the client said."""
        self._pieces.append(data)
        self._size += len(data)
        self._some.set()

    def break_off(self) -> None:
        """Note that the client has gone."""
        self._ended = True
        self._some.set()
