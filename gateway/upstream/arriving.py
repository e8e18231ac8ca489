"""An answer's body on its way from an instance."""

import asyncio
from collections.abc import AsyncIterator

from bookshelf.http.message import BrokenBody, close_body
from gateway.upstream.call import Clock
from gateway.upstream.visit import Visit


class Arriving:
    """A body of which each piece must come in time, counted from when it is asked for.

    The visit lasts until its end, its break, or until it is let go.
    """

    __slots__ = ("_clock", "_patience_s", "_pieces", "_visit")

    def __init__(self, pieces: AsyncIterator[bytes], patience_s: float, visit: Visit, clock: Clock) -> None:
        self._pieces = pieces
        self._patience_s = patience_s
        self._visit = visit
        self._clock = clock

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return itself: there is one reader."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece. Raises `BrokenBody`."""
        try:
            async with asyncio.timeout(self._patience_s):
                return await anext(self._pieces)
        except StopAsyncIteration:
            self._visit.end()
            raise
        except BrokenBody:
            self._visit.failed(self._clock())
            raise
        except TimeoutError:
            self._visit.failed(self._clock())
            msg = f"nothing more of the answer came for {self._patience_s:g} s"
            raise BrokenBody(msg) from None

    async def aclose(self) -> None:
        """Let go of what it comes from."""
        self._visit.end()
        await close_body(self._pieces)

    def __del__(self) -> None:
        """End the visit of an answer that was dropped before anyone read it."""
        self._visit.end()
