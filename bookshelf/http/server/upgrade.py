"""The client's bytes after a request to upgrade the connection to a tunnel (RFC 9110, 7.8)."""

import asyncio
from collections.abc import AsyncIterator, Callable

from bookshelf.http.server.request_body import ByteBuffer


class UpgradedStream(ByteBuffer):
    """Bytes after an Upgrade request: for the service if it answers 101, otherwise parsed as HTTP again."""

    def __init__(self, flow: Callable[[], None]) -> None:
        super().__init__(flow)
        self._some = asyncio.Event()
        self._ended = False

    async def read(self, limit: int) -> bytes:  # noqa: ARG002 (nothing is never too much)
        """Return no bytes: before the upgrade is accepted, the request is a GET without a body."""
        return b""

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the client's bytes until it disconnects."""
        while True:
            while self._pieces:
                yield self.taken()
            if self._ended:
                return
            self._some.clear()
            await self._some.wait()

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self.keep(data)
        self._some.set()

    def break_off(self) -> None:
        """Note that the client has disconnected."""
        self._ended = True
        self._some.set()
