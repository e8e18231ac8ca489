"""How long a request may take in all: its body, the answer, and the answer's body together.

What has no end of its own is let be: a tunnel, and a stream of events.
"""

import asyncio
from collections.abc import AsyncIterator

from bookshelf.http.message import Body, BrokenBody, close_body, gather


class TimedRequestBody:
    """A request's body that has to be here at a moment of the loop's clock."""

    __slots__ = ("_body", "_end")

    def __init__(self, body: Body, end: float) -> None:
        self._body = body
        self._end = end

    async def read(self, limit: int) -> bytes:
        """Return all of it. Raises `TooLarge`, `BrokenBody`."""
        return await gather(self.stream(), limit)

    def stream(self) -> AsyncIterator[bytes]:
        """Return its pieces as they come, until there is no more time. Raises `BrokenBody`, `TooLarge`."""
        return TimedResponseBody(self._body.stream(), self._end)


class TimedResponseBody:
    """Pieces that come until a moment of the loop's clock, and no later."""

    __slots__ = ("_end", "_pieces")

    def __init__(self, pieces: AsyncIterator[bytes], end: float) -> None:
        self._pieces = pieces
        self._end = end

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return itself: there is one reader."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next one. Raises `BrokenBody`."""
        try:
            async with asyncio.timeout_at(self._end):
                return await anext(self._pieces)
        except TimeoutError:
            raise BrokenBody("the request took longer than one may take in all") from None

    async def aclose(self) -> None:
        """Let go of what they come from."""
        await close_body(self._pieces)
