"""A request as aiohttp's parser gives it: aiohttp's own request costs more than a small answer."""

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import EMPTY_PAYLOAD, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from bookshelf.runtime.http.guard import Guard
from bookshelf.runtime.http.message import Body, BrokenBody, Bytes, Request, TooLarge
from bookshelf.runtime.http.tunnel import Tunnel

_EMPTY = Bytes()


class Incoming:
    """A request's body as it comes from the socket. Compressed bytes are left as they are."""

    __slots__ = ("_content", "_guard", "_invite", "_read", "_size", "_waited_s", "most")

    def __init__(self, content: StreamReader, guard: Guard, invite: Callable[[], None] | None = None) -> None:
        self._content = content
        self._guard = guard
        self._invite = invite
        self._size = 0
        self._read = 0
        self._waited_s = 0.0
        #: Bytes of it that may come; 0 for any number.
        self.most = 0

    @property
    def uninvited(self) -> bool:
        """Whether the client still waits to be told that this is wanted."""
        return self._invite is not None

    async def read(self, limit: int) -> bytes:
        """Return all of it."""
        pieces: list[bytes] = []
        size = 0
        async for piece in self.stream():
            size += len(piece)
            if size > limit:
                raise TooLarge(limit)
            pieces.append(piece)
        return b"".join(pieces)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield it piece by piece. Raises `BrokenBody`, and `TooLarge` once more has come than may."""
        while not self._content.at_eof():
            try:
                piece = await self._piece()
            except TimeoutError:
                msg = f"nothing more of the body came for {self._guard.body_idle_s:g} s"
                raise BrokenBody(msg) from None
            except (OSError, web.HTTPException, web.PayloadAccessError) as fault:
                msg = "the body did not come to its end"
                raise BrokenBody(msg) from fault
            self._read += len(piece)
            if self.most and self._read > self.most:
                raise TooLarge(self.most)
            if piece:
                yield piece

    async def _piece(self) -> bytes:
        if self._content.is_eof():  # all is here: there is nothing to wait for
            return self._content.read_nowait()
        if self._invite is not None:
            self._invite()
            self._invite = None
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(self._guard.body_idle_s):
            piece = await self._content.readany()
        self._size += len(piece)
        self._waited_s += loop.time() - began
        if self._size < self._guard.body_rate * (self._waited_s - self._guard.grace_s):
            raise BrokenBody("the body comes too slowly")
        return piece


class Guarded(RequestHandler):
    """A connection as far as a request knows it (connection.py)."""

    guard: Guard


class RawRequest:
    """What aiohttp's connection asks of a request, and no more."""

    __slots__ = ("_task", "body", "message", "payload", "protocol", "writer")

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: "Guarded",
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> None:
        self.message = message
        self.payload = payload
        self.protocol = protocol
        self.writer = writer
        self.body: Body = _EMPTY
        self._task = task

    def _finish(self) -> None:
        """Have nothing to clear away: no form was read into files."""

    def _cancel(self, fault: BaseException) -> None:
        """Tell who reads the body that no more of it comes."""
        self.payload.set_exception(fault)

    def request(self, peer: str, *, secure: bool) -> Request:
        """Return it as handlers know it; the path is the raw one."""
        message = self.message
        if message.upgrade and _websocket(message):
            self.body = Tunnel(self.protocol)
        elif self.payload is not EMPTY_PAYLOAD:
            self.body = self._body()
        return Request(message.method, message.path, message.headers, self.body, peer, secure)

    def _body(self) -> Incoming:
        waits = self.message.headers.get("Expect", "").lower() == "100-continue"
        return Incoming(self.payload, self.protocol.guard, self._invite if waits else None)

    def _invite(self) -> None:
        """Tell a client that waits to be told that its body is wanted (RFC 9110, 10.1.1)."""
        if self.protocol.transport is not None:
            self.protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def whole(self) -> web.BaseRequest:
        """Return aiohttp's own, which a streamed answer needs."""
        loop = asyncio.get_running_loop()
        return web.BaseRequest(self.message, self.payload, self.protocol, self.writer, self._task, loop)


def _websocket(message: RawRequestMessage) -> bool:
    """Whether this asks for the one protocol that is spoken beside HTTP (RFC 6455, 4.1)."""
    return message.method == "GET" and message.headers.get("Upgrade", "").lower() == "websocket"
