"""A request as aiohttp's parser gives it: aiohttp's own request costs more than a small answer."""

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import EMPTY_PAYLOAD, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from bookshelf.runtime.http.message import BrokenBody, Bytes, Request, TooLarge

#: A client that sends nothing for this long, in the middle of a body, is cut off.
BODY_IDLE_S = 10.0
_EMPTY = Bytes()


class Incoming:
    """A request's body as it comes from the socket. Compressed bytes are left as they are."""

    __slots__ = ("_content", "_invite")

    def __init__(self, content: StreamReader, invite: Callable[[], None] | None = None) -> None:
        self._content = content
        self._invite = invite

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
        """Yield it piece by piece."""
        while not self._content.at_eof():
            try:
                piece = await self._piece()
            except TimeoutError:
                msg = f"nothing more of the body came for {BODY_IDLE_S:.0f} s"
                raise BrokenBody(msg) from None
            except (OSError, web.HTTPException, web.PayloadAccessError) as fault:
                msg = "the body did not come to its end"
                raise BrokenBody(msg) from fault
            if piece:
                yield piece

    async def _piece(self) -> bytes:
        if self._content.is_eof():  # all is here: there is nothing to wait for
            return self._content.read_nowait()
        if self._invite is not None:
            self._invite()
            self._invite = None
        async with asyncio.timeout(BODY_IDLE_S):
            return await self._content.readany()


class RawRequest:
    """What aiohttp's connection asks of a request, and no more."""

    __slots__ = ("_task", "message", "payload", "protocol", "writer")

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> None:
        self.message = message
        self.payload = payload
        self.protocol = protocol
        self.writer = writer
        self._task = task

    def _finish(self) -> None:
        """Have nothing to clear away: no form was read into files."""

    def _cancel(self, fault: BaseException) -> None:
        """Tell who reads the body that no more of it comes."""
        self.payload.set_exception(fault)

    def request(self, peer: str) -> Request:
        """Return it as handlers know it; the path is the raw one."""
        message = self.message
        body = _EMPTY if self.payload is EMPTY_PAYLOAD else self._body()
        return Request(message.method, message.path, message.headers, body, peer)

    def _body(self) -> Incoming:
        waits = self.message.headers.get("Expect", "").lower() == "100-continue"
        return Incoming(self.payload, self._invite if waits else None)

    def _invite(self) -> None:
        """Tell a client that waits to be told that its body is wanted (RFC 9110, 10.1.1)."""
        if self.protocol.transport is not None:
            self.protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def whole(self) -> web.BaseRequest:
        """Return aiohttp's own, which a streamed answer needs."""
        loop = asyncio.get_running_loop()
        return web.BaseRequest(self.message, self.payload, self.protocol, self.writer, self._task, loop)
