"""Notifies the clients of open WebSockets that a rollout pauses the gateway, and that it has ended.

A notice is a ping (RFC 6455, 5.5.2) between two frames of the service: its payload is `reloading ROLLOUT`,
then `resumed`. Every client answers a ping, and none takes it for a message of the service. The service gets
a pong that it has not asked for, which is allowed (5.5.3).
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from bookshelf.concurrency import cancel_and_wait
from bookshelf.http.message import close_body

_PING, _CLOSE, _OPCODE, _MOST = 0x89, 0x8, 0x0F, 125
#: The bytes of the real length by the lengths that stand for one; the bit of a mask, those of a length.
_EXTENDED = {126: 2, 127: 8}
_MASK, _LENGTH = 0x80, 0x7F


class FrameEnds:
    """Finds where frames end in the bytes of one direction of a WebSocket (RFC 6455, 5.2)."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._is_closed = False

    @property
    def at_end(self) -> bool:
        """True if all frames that have begun are complete, and none closes the connection."""
        return not self._head and not self._left and not self._is_closed

    def feed(self, data: bytes) -> int | None:
        """Take the next bytes; return the offset in them after the last complete frame, None if none ends.

        A frame that closes the connection is followed by none.
        """
        end, at = None, 0
        while at < len(data):
            if self._left:
                taken = min(self._left, len(data) - at)
                self._left -= taken
                at += taken
            else:
                self._head += data[at : at + 1]
                at += 1
                if (left := _payload(self._head)) is None:
                    continue
                self._is_closed |= self._head[0] & _OPCODE == _CLOSE
                self._head, self._left = b"", left
            if not self._left and not self._is_closed:
                end = at
        return end


def _payload(head: bytes) -> int | None:
    """Return the bytes that follow a head, None while it is incomplete."""
    if len(head) < 2:  # noqa: PLR2004 (the shortest head)
        return None
    length, more = head[1] & _LENGTH, _EXTENDED.get(head[1] & _LENGTH, 0)
    if len(head) < 2 + more:
        return None
    return (int.from_bytes(head[2:]) if more else length) + (4 if head[1] & _MASK else 0)


def ping(text: str) -> bytes:
    """Return a frame that is a ping with this text, at most 125 bytes of it."""
    payload = text.encode()[:_MOST]
    return bytes((_PING, len(payload))) + payload


class Tunnel:
    """The bytes from a service to its client, with notices between the frames."""

    def __init__(self) -> None:
        self.notices = b""
        self.noticed = asyncio.Event()
        self._ends = FrameEnds()

    def notify(self, text: str) -> None:
        """Send a notice as soon as no frame is incomplete."""
        self.notices += ping(text)
        self.noticed.set()

    def add_to(self, piece: bytes) -> bytes:
        """Return a piece of the service, or none, with the notices that fit in."""
        end = self._ends.feed(piece)
        self.noticed.clear()
        if end is None and not piece and self._ends.at_end:
            end = 0
        if end is None or not self.notices:
            return piece
        notices, self.notices = self.notices, b""
        return piece[:end] + notices + piece[end:]


class Tunnels:
    """The tunnels that are open."""

    def __init__(self) -> None:
        self._open: set[Tunnel] = set()

    def notify(self, text: str) -> None:
        """Send a notice to all clients."""
        for tunnel in self._open:
            tunnel.notify(text)

    async def follow(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield what the service sends, with notices. Raises what the pieces raise."""
        tunnel = Tunnel()
        self._open.add(tunnel)
        reading: asyncio.Future[Any] | None = None
        noticing: asyncio.Future[Any] = asyncio.ensure_future(tunnel.noticed.wait())
        try:
            while True:
                reading = reading or asyncio.ensure_future(anext(pieces, None))
                await asyncio.wait({reading, noticing}, return_when=asyncio.FIRST_COMPLETED)
                piece = b""
                if reading.done():
                    piece, reading = reading.result(), None
                    if piece is None:
                        return
                if sent := tunnel.add_to(piece):
                    yield sent
                if noticing.done():
                    noticing = asyncio.ensure_future(tunnel.noticed.wait())
        finally:
            self._open.discard(tunnel)
            await cancel_and_wait(*(task for task in (reading, noticing) if task is not None))
            await close_body(pieces)
