"""Bodies on their way through: piece by piece, under a deadline, never gathered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

from bookshelf.http.message import Body, BrokenBody, BytesBody, Request, TooLarge, close_body, gather
from bookshelf.http.server.upgrade import UpgradedStream

#: Bytes of a request's body that is read before it is sent on, so that it can be sent again.
SHORT = 64 << 10
#: Digits of a Content-Length that is looked at; whatever has more is not short.
_DIGITS = 9


class RequestDeadline(Protocol):
    """What can be put off, at the loop's clock: asyncio's, or the gateway's own."""

    def expired(self) -> bool:
        """Whether time is over."""

    def reschedule(self, when: float) -> None:
        """Have it be over at another moment."""


class Upload:
    """A long request body. The deadline for the answer counts from its last piece."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._deadline: RequestDeadline | None = None
        self._patience_s = 0.0
        self.broken: BrokenBody | TooLarge | None = None

    def put_off(self, deadline: RequestDeadline, patience_s: float) -> None:
        """Have each piece put this deadline off."""
        self._deadline = deadline
        self._patience_s = patience_s

    async def read(self, limit: int) -> bytes:
        """Return all of it. Raises `TooLarge`, `BrokenBody`."""
        return await gather(self.stream(), limit)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield it piece by piece. Raises `BrokenBody`, `TooLarge`, and remembers it: the client's fault."""
        try:
            async for piece in self._body.stream():
                if self._deadline is not None and not self._deadline.expired():
                    self._deadline.reschedule(asyncio.get_running_loop().time() + self._patience_s)
                yield piece
        except (BrokenBody, TooLarge) as fault:
            self.broken = fault
            raise


async def onward(request: Request) -> Body:
    """Return the body to send on: as bytes if it is known to be short, else as it comes.

    Raises `BrokenBody`.
    """
    body = request.body
    if isinstance(body, BytesBody | UpgradedStream):
        return body
    said = request.headers.get("Content-Length", "")
    if said.isascii() and said.isdigit() and len(said) <= _DIGITS and int(said) <= SHORT:
        return BytesBody(await body.read(SHORT))
    return Upload(body)


async def discard(body: bytes | AsyncIterator[bytes], limit: int = SHORT) -> None:
    """Read a body to its end, so that its connection can be used again; one over `limit` bytes is left."""
    if isinstance(body, bytes):
        return
    with contextlib.suppress(BrokenBody):  # no one wants to know
        async for piece in body:
            limit -= len(piece)
            if limit < 0:
                break
    await close_body(body)
