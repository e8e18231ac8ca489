"""The total timeout: limits a whole exchange, with the bodies of the request and of the response.

Tunnels and streams of events have no end of their own, and are exempt.
"""

import asyncio
from collections.abc import AsyncIterator

from bookshelf.http.message import Body, BrokenBody, close_body, gather


class TimedRequestBody:
    """A request body that must be complete at a given time of the loop's clock."""

    __slots__ = ("_body", "_end")

    def __init__(self, body: Body, end: float) -> None:
        self._body = body
        self._end = end

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises `TooLarge`, `BrokenBody`."""
        return await gather(self.stream(), limit)

    def stream(self) -> AsyncIterator[bytes]:
        """Return an iterator over the pieces, which raises `BrokenBody` at the end time, and `TooLarge`."""
        return TimedResponseBody(self._body.stream(), self._end)


class TimedResponseBody:
    """A stream of pieces that must be complete at a given time of the loop's clock."""

    __slots__ = ("_end", "_pieces")

    def __init__(self, pieces: AsyncIterator[bytes], end: float) -> None:
        self._pieces = pieces
        self._end = end

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return itself: there is one reader."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece. Raises `BrokenBody`."""
        try:
            async with asyncio.timeout_at(self._end):
                return await anext(self._pieces)
        except TimeoutError:
            raise BrokenBody("the exchange took longer than the total timeout allows") from None

    async def aclose(self) -> None:
        """Close the underlying stream."""
        await close_body(self._pieces)
