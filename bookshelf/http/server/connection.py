"""One connection of the HTTP server: answers its requests in order and disconnects slow clients."""

import asyncio
from http import HTTPStatus

import structlog

from bookshelf.http.message import Handler, Response
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.request_check import is_probe
from bookshelf.http.server.connections import Connections
from bookshelf.http.server.protocol import WriteProtocol
from bookshelf.http.server.request_body import UpgradedStream
from bookshelf.http.server.request_parser import IncomingRequest, RequestParser
from bookshelf.http.server.response_writer import whole_response, write_streamed, write_switched

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
        self._fresh = True

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
                self._fresh = False
                self._work = self._loop.create_task(self._answer_all())
            elif waited and reader.heading and not self._fresh:
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
            if now - self._since > (self.guard.head_s if begun or self._fresh else self.guard.idle_s):
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
            await self.send(whole_response(incoming, problem_response(incoming.refusal), kept=False))
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
            await self.send(_written(incoming, response, kept=kept))
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


def _written(incoming: IncomingRequest, response: Response, *, kept: bool) -> bytes:
    try:
        return whole_response(incoming, response, kept=kept)
    except ValueError:
        _logger.exception("defect", part="an answer's head")
        msg = "this is a defect of the service, not of the request; it was logged"
        return whole_response(incoming, problem_response(Problem("internal", msg)), kept=kept)
