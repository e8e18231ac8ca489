"""A client's connection: aiohttp's, with an eye on how long things take and how much there is of them."""

import asyncio
from typing import Any, cast

from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from bookshelf.runtime.http.connections import Connections
from bookshelf.runtime.http.incoming import RawRequest
from bookshelf.runtime.http.outgoing import Whole, last
from bookshelf.runtime.http.problem import Problem, answer
from bookshelf.runtime.http.unread import Unread

_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Server: bookshelf\r\n\r\n"
)
_SLOW = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\nServer: bookshelf\r\n\r\n"
_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n"
    b"Server: bookshelf\r\n\r\n"
)
_BAD_REQUEST = 400


class Connection(RequestHandler):
    """Says even what aiohttp itself refuses as problem details, and nothing of the inside."""

    def __init__(self, server: Server, everyone: Connections, **more: Any) -> None:  # noqa: ANN401 (aiohttp's)
        super().__init__(server, **more)
        self.guard = everyone.guard
        self.peer = ""
        self.secure = False
        self._everyone = everyone
        self._unread = Unread(everyone.guard)
        #: When the head that is awaited began; None while none has, or while a request is answered.
        self._began: float | None = None
        self._head = 0
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep who is there: one question to the system a connection, not one a request."""
        super().connection_made(transport)
        self._wire = cast("asyncio.Transport", transport)  # aiohttp forgets its own when it closes
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if isinstance(name, tuple) else ""
        self.secure = transport.get_extra_info("sslcontext") is not None
        self._began = self._loop.time()
        if not self._everyone.enter(self):
            self._dismiss(_BUSY)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self._everyone.leave(self)
        self._wire = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and note whether a head has begun."""
        super().data_received(data)
        waiter = self._waiter
        if waiter is None or waiter.done():
            self._began, self._head = None, 0
            return
        if self._began is None:
            self._began = self._loop.time()
        self._head += len(data)
        if self._head > self.guard.head:
            self._dismiss(_LARGE)

    def resume_writing(self) -> None:
        """Note that the client takes what it is sent."""
        super().resume_writing()
        self._unread.flowed()

    def look(self, now: float) -> None:
        """Cut the client off if its head does not come, or if it does not take its answer."""
        wire = self._wire
        if wire is None:
            return
        if self._unread.too_long(wire.get_write_buffer_size(), now):
            wire.abort()
        elif self._began is not None and now - self._began > self.guard.head_s:
            self._dismiss(_SLOW if self._head else b"")

    def _dismiss(self, word: bytes) -> None:
        if self.transport is not None and word:
            self.transport.write(word)
        self._began = None
        self.force_close()

    def handle_error(  # type: ignore[override]  # requests and answers are our own (incoming.py, outgoing.py)
        self,
        request: RawRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 (it may quote the inside)
    ) -> Whole:
        """Refuse, and end the connection."""
        if request.writer.output_size > 0:
            msg = "the answer had begun already"
            raise ConnectionError(msg) from exc
        return last(request, answer(_refusal(status, exc)))


def _refusal(status: int, fault: BaseException | None) -> Problem:
    if isinstance(fault, LineTooLong):
        return Problem("head-too-large", "the target or a header is longer than is taken")
    if status == _BAD_REQUEST:
        return Problem("malformed", "the request is not HTTP/1.1, or has more headers than are taken")
    return Problem("gateway-timeout" if status == 504 else "internal", "unexpected")  # noqa: PLR2004
