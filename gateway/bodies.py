"""Request and response bodies in the gateway: forwarded piece by piece, with a timeout, never held whole."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

from bookshelf.http.message import Body, BrokenBody, BytesBody, Request, TooLarge, close_body, gather
from bookshelf.http.request_parser import UpgradedStream

#: A request body of up to so many bytes is read before it is forwarded, so that it can be sent again.
SHORT = 64 << 10
#: The most digits of a Content-Length that is parsed; a longer one is not short.
_DIGITS = 9


class RequestDeadline(Protocol):
    """A timeout that can be moved: asyncio's, or the gateway's `SharedTimeout`. Times are the loop's."""

    def expired(self) -> bool:
        """Return True once the time is over."""

    def reschedule(self, when: float) -> None:
        """Move the end to another time of the loop's clock."""


class Upload:
    """A long request body. The timeout for the response restarts with each piece of it."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._deadline: RequestDeadline | None = None
        self._patience_s = 0.0
        self.broken: BrokenBody | TooLarge | None = None

    def put_off(self, deadline: RequestDeadline, patience_s: float) -> None:
        """Let each piece move the end of `deadline` to `patience_s` seconds from then."""
        self._deadline = deadline
        self._patience_s = patience_s

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises `TooLarge`, `BrokenBody`."""
        return await gather(self.stream(), limit)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the pieces. Raises `BrokenBody`, `TooLarge`, and keeps them in `broken` (client's fault)."""
        try:
            async for piece in self._body.stream():
                if self._deadline is not None and not self._deadline.expired():
                    self._deadline.reschedule(asyncio.get_running_loop().time() + self._patience_s)
                yield piece
        except (BrokenBody, TooLarge) as fault:
            self.broken = fault
            raise


async def onward(request: Request) -> Body:
    """Return the body to forward: as bytes if it is known to be short, else as a stream.

    Raises `BrokenBody`.
    """
    body = request.body
    if isinstance(body, BytesBody | UpgradedStream):
        return body
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and len(length) <= _DIGITS and int(length) <= SHORT:
        return BytesBody(await body.read(SHORT))
    return Upload(body)


async def discard(body: bytes | AsyncIterator[bytes], limit: int = SHORT) -> None:
    """Read a body to its end, or up to `limit` bytes, so that its connection can be used again."""
    if isinstance(body, bytes):
        return
    with contextlib.suppress(BrokenBody):  # the body is not needed
        async for piece in body:
            limit -= len(piece)
            if limit < 0:
                break
    await close_body(body)


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
