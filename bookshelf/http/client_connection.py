"""A client connection, and the parser of responses, which must be valid HTTP/1.1 (RFC 9112, 6.3)."""

import asyncio
from collections import deque
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

from bookshelf.http.message import BrokenBody

#: The most bytes of a response's head, and the most headers in it.
_HEAD_MOST = 64 << 10
_HEADERS_MOST = 200
_CONTINUE, _SWITCHING, _OK = 100, 101, 200
_BODILESS = frozenset({204, 304})


class BadResponse(Exception):
    """The received bytes are not a valid response."""


class ResponseParser:
    """One response, filled by the parser's callbacks. `kept`: True if its connection can be used again."""

    __slots__ = (
        *("_asked", "_head_size", "_parser", "_to_the_end", "done", "headers", "kept", "pieces", "ready"),
        *("size", "status", "switched"),
    )

    def __init__(self, *, head_only: bool, upgrades: bool) -> None:
        self._asked = (head_only, upgrades)
        self._parser = HttpResponseParser(self)
        self._head_size = 0
        self._to_the_end = False
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.pieces: deque[bytes] = deque()
        self.size = 0
        self.status = 0
        self.ready = self.done = self.kept = self.switched = False

    def feed(self, data: bytes) -> None:
        """Parse received bytes. Raises `BadResponse`."""
        if self.switched:
            self.on_body(data)
            return
        if not self.ready:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as tunnel:
            self.switched, self.done, self.kept = True, False, False
            if rest := data[tunnel.args[0] :]:
                self.on_body(rest)
        except HttpParserError as fault:
            if not self.done:
                raise BadResponse(str(fault)) from fault
            self.kept = False  # bytes followed the response without a request
        if not self.ready and self._head_size > _HEAD_MOST:
            raise BadResponse(f"the head has more than {_HEAD_MOST} bytes")

    def end(self) -> bool:
        """Note the end of the connection; return True if the response is complete."""
        self.done = self.done or (self.ready and (self._to_the_end or self.switched))
        return self.done

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header. Trailers, which follow a chunked body, are ignored."""
        if self.ready:
            return
        if len(self.headers) >= _HEADERS_MOST:
            raise BadResponse(f"the head has more than {_HEADERS_MOST} headers")
        self.headers.add(name.decode("ascii"), value.decode("utf-8", "surrogateescape"))

    def on_message_begin(self) -> None:
        """Keep the connection from being used again if a second message follows the response."""
        if self.done:
            self.kept = False

    def on_headers_complete(self) -> None:
        """Read the status and the framing. Interim responses (1xx except 101) are skipped."""
        if self.done:
            return
        self.status = self._parser.get_status_code()
        if _CONTINUE <= self.status < _OK and self.status != _SWITCHING:
            self.headers.clear()
            return
        if self.status == _SWITCHING and not self._asked[1]:
            raise BadResponse("the server switches protocols without being asked to")
        self.ready = True
        if self._asked[0] or self.status in _BODILESS:
            self.done, self.kept = True, self._parser.should_keep_alive() or self._asked[0]
            return
        framed = "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        self._to_the_end = not framed
        self.kept = framed and self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body until it is read."""
        if self.done:
            self.kept = False  # this response cannot have a body
        else:
            self.pieces.append(data)
            self.size += len(data)

    def on_message_complete(self) -> None:
        """Note the end of the body."""
        if self.ready:
            self.done = True


class Unreachable(Exception):
    """The connection could not be opened, so the server has not received the request."""


class NoResponse(Exception):
    """The request was sent and no response came: it may or may not have been carried out."""


#: Unread bytes of a response above which the connection stops reading from its socket.
_MUCH = 256 << 10


class ClientConnection(asyncio.Protocol):
    """Sends requests, and wakes the one exchange that waits for a response's head or its next piece."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: ResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._fault: Exception | None = None
        self._full = self._paused = False
        self._since = 0.0
        #: The deadline of the current wait; one timer serves all waits of the connection.
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def free(self) -> bool:
        """True if another request can be sent on this connection."""
        return self._answer is None and self._transport is not None and not self._transport.is_closing()

    @property
    def rested_s(self) -> float:
        """Seconds since the last exchange ended."""
        return self._loop.time() - self._since

    @property
    def peer(self) -> str:
        """The server's address; empty if the connection is closed."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(name[0]) if isinstance(name, tuple) else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, answer: ResponseParser) -> None:
        """Send a request's head and the part of the body in `request`; `answer` parses the response."""
        self._answer = answer
        self.write(request)

    def write(self, data: bytes) -> None:
        """Send bytes. Raises `NoResponse` if the connection is closed."""
        if self._transport is None or self._transport.is_closing():
            raise NoResponse("the connection was closed")
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the transport's write buffer is full."""
        if self._full and self._transport is not None:
            self._drained = self._loop.create_future()
            await self._drained

    async def ready(self, patience_s: float) -> None:
        """Wait for the response's head, up to `patience_s` between two reads. Raises `NoResponse`."""
        answer = self._expected()
        while not answer.ready:
            await self._more(patience_s)
            if self._fault is not None and not answer.ready:
                raise NoResponse(str(self._fault)) from self._fault

    async def piece(self, patience_s: float) -> bytes:
        """Return the next bytes of the body, or none at its end. Raises `BrokenBody`."""
        answer = self._expected()
        while not answer.pieces:
            if answer.done:
                return b""
            if self._fault is not None:
                raise BrokenBody(str(self._fault)) from self._fault
            await self._more(patience_s)
        content = b"".join(answer.pieces)
        answer.pieces.clear()
        answer.size = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return content

    async def _more(self, patience_s: float) -> None:
        self._waiter = self._loop.create_future()
        self._until = self._loop.time() + patience_s
        if self._timer is None:
            self._timer = self._loop.call_later(patience_s, self._look)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _expected(self) -> ResponseParser:
        assert self._answer is not None  # noqa: S101 (a request was sent)
        return self._answer

    def _look(self) -> None:
        """Fail the current wait if its deadline has passed; otherwise set the timer to that deadline."""
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() >= self._until:
            self._broken(TimeoutError("nothing came in time"))
        else:
            self._timer = self._loop.call_at(self._until, self._look)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes. Bytes outside of a response close the connection."""
        answer = self._answer
        if answer is None or self._fault is not None:
            self.close()
            return
        try:
            answer.feed(data)
        except BadResponse as fault:
            self._broken(fault)
            return
        if answer.size > _MUCH and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the current wait, unless the end of the connection is the end of the response."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self._answer is None or not self._answer.end():
            self._fault = self._fault or exc or ConnectionResetError("the connection was closed")
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        """Make `drain` wait."""
        self._full = True

    def resume_writing(self) -> None:
        """End the wait of `drain`."""
        self._full = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def release(self) -> bool:
        """End the exchange; return True if another can follow, else close the connection."""
        answer, self._answer = self._answer, None
        self._since = self._loop.time()
        if answer is not None and answer.done and answer.kept and self.free and not self._paused:
            return True
        self.close()
        return False

    def finish(self) -> None:
        """Close the connection once all written bytes are sent."""
        if self._transport is not None:
            self._transport.close()

    def close(self) -> None:
        """Close the connection at once and discard unsent bytes."""
        if self._transport is not None:
            self._transport.abort()

    def _broken(self, fault: Exception) -> None:
        self._fault = fault
        self.close()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
