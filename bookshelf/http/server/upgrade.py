"""A connection that has stopped speaking HTTP: bytes both ways until either side closes (RFC 9110, 7.8)."""

import asyncio
from collections.abc import AsyncIterator, Callable

from bookshelf.http.server.request_body import ByteBuffer


class UpgradedStream(ByteBuffer):
    """What the client says, as a body. It is for the service once that has agreed, and HTTP if it has not."""

    def __init__(self, flow: Callable[[], None]) -> None:
        super().__init__(flow)
        self._some = asyncio.Event()
        self._ended = False

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

    def feed(self, data: bytes) -> None:
        """Take what the client said."""
        self.keep(data)
        self._some.set()

    def break_off(self) -> None:
        """Note that the client has gone."""
        self._ended = True
        self._some.set()
