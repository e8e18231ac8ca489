"""A handler behind a real port: aiohttp's parser and connections, without its framework."""

import asyncio
import errno
import socket
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bookshelf.runtime.http.incoming import RawRequest
from bookshelf.runtime.http.message import Handler
from bookshelf.runtime.http.outgoing import Whole, last, streamed, whole
from bookshelf.runtime.http.problem import Problem, answer

KEEPALIVE_S = 75.0


class PortTaken(Exception):
    """The port cannot be listened on; says which, and what to try."""


class _Connection(RequestHandler):
    """Says even what aiohttp itself refuses as problem details, and nothing of the inside."""

    peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep who is there: one question to the system a connection, not one a request."""
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if isinstance(name, tuple) else ""

    def handle_error(  # type: ignore[override]  # requests and answers are our own (incoming.py, outgoing.py)
        self,
        request: RawRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 (it may quote the inside)
    ) -> Whole:
        if request.writer.output_size > 0:
            msg = "the answer had begun already"
            raise ConnectionError(msg) from exc
        kind = {400: "malformed", 504: "gateway-timeout"}.get(status, "internal")
        detail = "the request is not HTTP/1.1, or larger than is taken" if status == 400 else "unexpected"  # noqa: PLR2004
        return last(request, answer(Problem(kind, detail)))


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class HttpServer:
    """Serves a handler on host and port; port 0 takes any free one."""

    def __init__(self, handler: Handler, host: str, port: int) -> None:
        self._handler = handler
        self.host = host
        self.port = port
        ours: dict[str, Any] = {"handler": self._respond, "request_factory": RawRequest}
        self._server = _Server(**ours, auto_decompress=False, access_log=None, keepalive_timeout=KEEPALIVE_S)
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises `PortTaken`."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._server, self.host, self.port, backlog=1024)
        except OSError as fault:
            reason = (
                "is taken" if fault.errno == errno.EADDRINUSE else f"cannot be listened on ({fault.strerror})"
            )
            msg = f"port {self.port} of {self.host} {reason}"
            raise PortTaken(msg) from fault
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self, drain_s: float = 5.0) -> None:
        """Take no more connections, let requests under way end, then close."""
        if self._listener is None:
            return
        self._listener.close()
        self._server.pre_shutdown()
        await self._server.shutdown(drain_s)

    async def _respond(self, raw: RawRequest) -> Whole | web.StreamResponse:
        assert isinstance(raw.protocol, _Connection)  # noqa: S101 (the server above makes no other)
        response = await self._handler.handle(raw.request(raw.protocol.peer))
        if isinstance(response.body, bytes):
            return whole(raw, response)
        return await streamed(raw, response)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        found: int = probe.getsockname()[1]
        return found
