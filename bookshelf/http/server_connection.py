"""One connection of the HTTP server: answers its requests in order and disconnects slow clients.

Responses are written with one write if they are complete, else by length or in chunks, with backpressure.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

import structlog
from multidict import CIMultiDict

from bookshelf.http.limits import ConnectionLimits, Connections
from bookshelf.http.message import BrokenBody, Handler, Response, close_body, join_lines
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.request_check import is_probe
from bookshelf.http.request_parser import IncomingRequest, RequestParser, UpgradedStream

_GONE = "the client has disconnected"


class WriteProtocol(asyncio.Protocol):
    """Sends bytes as fast as the client reads them."""

    def __init__(self, guard: ConnectionLimits) -> None:
        self.guard = guard
        self.peer = ""
        self.secure = False
        self._loop = asyncio.get_running_loop()
        self._wire: asyncio.Transport | None = None
        self._unread = WriteStallTimer(guard)
        self._room: asyncio.Future[None] | None = None
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport and the client's address, which costs a system call once per connection."""
        self._wire = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if isinstance(name, tuple) else ""
        self.secure = transport.get_extra_info("sslcontext") is not None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (why does not matter)
        """Drop the transport and end the wait of `send`."""
        self._wire = None
        self.resume_writing()

    def pause_writing(self) -> None:
        """Make `send` wait."""
        self._full = True

    def resume_writing(self) -> None:
        """End the wait of `send`: the client has read enough."""
        self._full = False
        self._unread.flowed()
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    async def send(self, *parts: bytes) -> None:
        """Send bytes and wait while the buffer is full. Raises `ConnectionResetError` if disconnected."""
        if self._wire is None or self._wire.is_closing():
            raise ConnectionResetError(_GONE)
        if len(parts) == 1:
            self._wire.write(parts[0])
        else:
            self._wire.writelines(parts)
        if self._full:
            self._room = self._loop.create_future()
            await self._room
            if self._wire is None:
                raise ConnectionResetError(_GONE)

    def hang_up(self) -> None:
        """Close the connection at once and discard unsent bytes."""
        if self._wire is not None:
            self._wire.abort()

    def part(self, within_s: float) -> None:
        """Close after `within_s`: closing with unread bytes of the client could lose the last response."""
        wire = self._wire
        if wire is not None and wire.can_write_eof():
            wire.write_eof()
            self._loop.call_later(within_s, wire.close)
        elif wire is not None:
            wire.close()


class WriteStallTimer:
    """Measures how long unsent bytes have waited; restarts when all or enough of them were sent."""

    __slots__ = ("_guard", "_left", "_since")

    def __init__(self, guard: ConnectionLimits) -> None:
        self._guard = guard
        self._since: float | None = None
        self._left = 0

    def flowed(self) -> None:
        """Restart the measurement, because the client has just read much."""
        self._since = None

    def too_long(self, left: int, now: float) -> bool:
        """Return True if the client reads too slowly, with `left` bytes unsent at the time `now`."""
        if not left:
            self._since = None
        elif self._since is None:
            self._since, self._left = now, left
        elif now - self._since > self._guard.unread_s:
            if self._left - left < self._guard.unread_rate * self._guard.unread_s:
                return True
            self._since, self._left = now, left
        return False


_PHRASES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
#: A body of at most so many bytes is copied behind its head: two buffers cost more to send.
_JOINED = 8 << 10
#: Statuses whose responses have no body (RFC 9110, 15.3.5 and 15.4.5); a response to HEAD has none either.
_NO_BODY = frozenset({204, 304})


class _Stamp:
    """The headers of every response: `Date`, formatted once a second, and `Server`."""

    def __init__(self) -> None:
        self._second = 0
        self._lines = ""

    def __call__(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._lines = f"Date: {formatdate(second, usegmt=True)}\r\nServer: bookshelf\r\n"
        return self._lines


_stamp = _Stamp()


def bodiless(arrival: IncomingRequest, response: Response) -> bool:
    """Return True if the response has no body after its head."""
    return response.status in _NO_BODY or arrival.method == "HEAD"


def whole_response(arrival: IncomingRequest, response: Response, *, kept: bool) -> tuple[bytes, ...]:
    """Encode a response whose body is bytes; a large body is not copied. Raises `InvalidHeader`."""
    content = response.body
    assert isinstance(content, bytes)  # noqa: S101 (the caller looked)
    framing = ""
    if response.status not in _NO_BODY and "Content-Length" not in response.headers:
        framing = f"Content-Length: {len(content)}\r\n"
    head = response_head(arrival, response.status, response.headers, framing, kept=kept)
    if bodiless(arrival, response):
        return (head,)
    return (head, content) if len(content) > _JOINED else (head + content,)


def response_head(
    arrival: IncomingRequest, status: int, headers: Mapping[str, str], framing: str, *, kept: bool
) -> bytes:
    """Encode a response's head. Raises `InvalidHeader`."""
    lines = [f"HTTP/1.{arrival.minor} {_PHRASES[status]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    stays = "" if kept and arrival.minor else f"Connection: {'keep-alive' if kept else 'close'}\r\n"
    return f"{join_lines(lines)}{framing}{stays}{_stamp()}\r\n".encode("utf-8", "surrogateescape")


async def write_streamed(
    wire: WriteProtocol, arrival: IncomingRequest, response: Response, *, kept: bool
) -> bool:
    """Send a response piece by piece; return True if another can follow it on this connection.

    Raises `ConnectionResetError` if the body fails: the status is sent already, so only a closed connection
    shows the client that the response is incomplete.
    """
    assert not isinstance(response.body, bytes)  # noqa: S101 (the caller looked)
    given = response.headers.get("Content-Length")
    length = None if given is None else int(given)
    framing = ""
    chunked = length is None and arrival.minor == 1 and not bodiless(arrival, response)
    if chunked:
        framing = "Transfer-Encoding: chunked\r\n"
    kept = kept and (chunked or length is not None or bodiless(arrival, response))
    try:
        await wire.send(response_head(arrival, response.status, response.headers, framing, kept=kept))
        if not bodiless(arrival, response):
            await (
                _write_chunks(wire, response.body) if chunked else _write_plain(wire, response.body, length)
            )
    except BrokenBody as fault:
        raise ConnectionResetError("the body broke off") from fault
    finally:
        await close_body(response.body)
    return kept


async def _write_chunks(wire: WriteProtocol, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        if piece:
            await wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await wire.send(b"0\r\n\r\n")


async def _write_plain(wire: WriteProtocol, pieces: AsyncIterator[bytes], length: int | None) -> None:
    left = length
    async for piece in pieces:
        if left is not None:
            left -= len(piece)
            if left < 0:
                break
        await wire.send(piece)
    if left:
        raise BrokenBody("the body is shorter than its Content-Length")


async def write_switched(wire: WriteProtocol, arrival: IncomingRequest, response: Response) -> None:
    """Send a 101 and then the bytes of the tunnel, unframed, until either side closes."""
    named = CIMultiDict(response.headers)
    named["Connection"] = "Upgrade"
    assert not isinstance(response.body, bytes)  # noqa: S101 (a tunnel's never is)
    try:
        await wire.send(response_head(arrival, response.status, named, "", kept=True))
        async for piece in response.body:
            await wire.send(piece)
    except BrokenBody as fault:
        raise ConnectionResetError("the tunnel broke off") from fault
    finally:
        await close_body(response.body)


_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Server: bookshelf\r\n\r\n"
)
_SLOW = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\nServer: bookshelf\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
#: Seconds in which unwanted bytes of the client are still read: closing earlier could lose the response.
_UNASKED_S = 0.5

_logger = structlog.get_logger(__name__)


class ServerConnection(WriteProtocol):
    """Reads requests, passes them to a handler and writes its responses, one request at a time."""

    def __init__(self, handler: Handler, connections: Connections) -> None:
        super().__init__(connections.guard)
        self._handler = handler
        self._connections = connections
        self._reader = RequestParser(connections.guard, self._flow, self._invite)
        self._work: asyncio.Task[None] | None = None
        self._held = False
        #: True while the response under way is a stream of events, which has no end of its own.
        self._endless = False
        #: When the wait for a request's first byte began, or after that byte the wait for the whole head.
        self._since = 0.0
        self.fresh = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection, or refuse it with a 503 if the connection limits are reached."""
        super().connection_made(transport)
        self._since = self._loop.time()
        if not self._connections.enter(self):
            self._dismiss(_BUSY)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the body that is being read; cancel a stream, and a request if the server is set to do so."""
        super().connection_lost(exc)
        self._connections.leave(self)
        self._reader.break_off()
        if self._work is not None and (self._connections.cancels or self._endless):
            self._work.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse received bytes and start answering complete request heads."""
        reader = self._reader
        waited = not reader.heading
        reader.feed(data)
        if self._work is None:
            if reader.arrived:
                self.fresh = False
                self._work = self._loop.create_task(self._answer_all())
            elif waited and reader.heading and not self.fresh:
                self._since = self._loop.time()
        self._flow()

    def look(self, now: float) -> None:
        """Disconnect a client that sends its head, or reads its response, too slowly."""
        wire = self._wire
        if wire is None:
            return
        if self._unread.too_long(wire.get_write_buffer_size(), now):
            wire.abort()
        elif self._work is None:
            begun = self._reader.heading
            if now - self._since > (self.guard.head_s if begun or self.fresh else self.guard.idle_s):
                self._dismiss(_SLOW if begun else b"")

    def shut(self) -> None:
        """Close the connection if no request, or a stream, is under way; else after its next response."""
        if self._endless:
            self.abort()
        if self._work is None and self._wire is not None:
            self._wire.close()

    def abort(self) -> None:
        """Cancel the request under way and close the connection."""
        if self._work is not None:
            self._work.cancel()
        self.hang_up()

    def _flow(self) -> None:
        held = self._reader.full
        if held is not self._held and self._wire is not None:
            self._held = held
            if held:
                self._wire.pause_reading()
            else:
                self._wire.resume_reading()

    def _invite(self) -> None:
        if self._wire is not None:
            self._wire.write(_CONTINUE)

    def _dismiss(self, response: bytes) -> None:
        self._reader.over = True
        if self._wire is not None:
            self._wire.write(response)
            self._wire.close()

    async def _answer_all(self) -> None:
        self._connections.working.add(self)
        try:
            arrived, kept = self._reader.arrived, True
            while kept and arrived and self._wire is not None:
                incoming = arrived.popleft()
                self._flow()
                kept = await self._answer(incoming)
        except ConnectionResetError:
            self.hang_up()
        except Exception:
            _logger.exception("defect", part="an answer on its way")
            self.hang_up()
        finally:
            self._work = None
            self._since = self._loop.time()
            self._connections.done(self)

    async def _answer(self, incoming: IncomingRequest) -> bool:
        """Answer a request; return True if another can follow it on this connection."""
        if incoming.refusal is not None:
            await self.send(*whole_response(incoming, problem_response(incoming.refusal), kept=False))
            self.part(_UNASKED_S)
            return False
        request = incoming.request(self.peer, secure=self.secure)
        spare = self in self._connections.spare
        if spare and not is_probe(request):
            self._connections.refused += 1
            self._dismiss(_BUSY)
            return False
        response = await self._handler.handle(request)
        kept = incoming.kept and not incoming.uninvited and not self._connections.leaving and not spare
        if isinstance(response.body, bytes):
            await self.send(*_written(incoming, response, kept=kept))
        elif response.status == HTTPStatus.SWITCHING_PROTOCOLS and isinstance(incoming.body, UpgradedStream):
            await write_switched(self, incoming, response)
            kept = False
        else:
            self._endless = response.headers.get("Content-Type", "").startswith("text/event-stream")
            kept = await write_streamed(self, incoming, response, kept=kept)
            self._endless = False
        if incoming.body is not None:
            kept = await self._skip_rest(incoming, kept=kept)
        if not kept and self._wire is not None:
            self._wire.close()
        return kept

    async def _skip_rest(self, incoming: IncomingRequest, *, kept: bool) -> bool:
        """Discard the unread rest of a request, because closing before its end could lose the response."""
        if isinstance(incoming.body, UpgradedStream):
            self._reader.decline(incoming.body)
        elif incoming.body is not None and not incoming.body.whole:
            return await incoming.body.rest(self.guard.linger_s if kept else _UNASKED_S) and kept
        return kept


def _written(incoming: IncomingRequest, response: Response, *, kept: bool) -> tuple[bytes, ...]:
    try:
        return whole_response(incoming, response, kept=kept)
    except ValueError:
        _logger.exception("defect", part="an answer's head")
        msg = "this is a defect of the service, not of the request; it was logged"
        return whole_response(incoming, problem_response(Problem("internal", msg)), kept=kept)
