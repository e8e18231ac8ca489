"""A handler behind a real port: aiohttp's parser and connections, without its framework."""

import asyncio
import errno
import socket
from http import HTTPStatus
from ssl import SSLContext
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bookshelf.runtime.http.connection import Connection
from bookshelf.runtime.http.connections import Connections
from bookshelf.runtime.http.guard import Guard
from bookshelf.runtime.http.incoming import RawRequest
from bookshelf.runtime.http.message import Handler
from bookshelf.runtime.http.outgoing import Switched, Whole, last, streamed, whole
from bookshelf.runtime.http.problem import Problem, answer
from bookshelf.runtime.http.strict import flaw
from bookshelf.runtime.http.tunnel import Tunnel

#: Connections that the system has ready and that were not taken yet.
_BACKLOG = 1024


class PortTaken(Exception):
    """The port cannot be listened on; says which, and what to try."""


class _Server(web.Server):
    """Makes connections of our own."""

    everyone: Connections

    def __call__(self) -> RequestHandler:
        return Connection(self, self.everyone, loop=self._loop, **self._kwargs)


class HttpServer:
    """Serves a handler on host and port; port 0 takes any free one.

    `cancels`: a request whose client goes away is not worked on any more.
    """

    def __init__(
        self,
        handler: Handler,
        host: str,
        port: int,
        *,
        guard: Guard | None = None,
        tls: SSLContext | None = None,
        cancels: bool = False,
    ) -> None:
        self._handler = handler
        self.host = host
        self.port = port
        self._tls = tls
        self.connections = Connections(guard or Guard())
        self._server = self._made(self.connections.guard, cancels=cancels)
        self._listener: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None
        self._leaving = False

    def _made(self, guard: Guard, *, cancels: bool) -> _Server:
        ours: dict[str, Any] = {"handler": self._respond, "request_factory": RawRequest}
        limits: dict[str, Any] = {"max_line_size": guard.line, "max_field_size": guard.field}
        server = _Server(
            **ours,
            **limits,
            handler_cancellation=cancels,
            lingering_time=guard.linger_s,
            auto_decompress=False,
            access_log=None,
            keepalive_timeout=guard.idle_s,
        )
        server.everyone = self.connections
        return server

    async def start(self) -> None:
        """Listen. Raises `PortTaken`."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                self._server, self.host, self.port, backlog=_BACKLOG, ssl=self._tls, **self._handshake()
            )
        except OSError as fault:
            reason = (
                "is taken" if fault.errno == errno.EADDRINUSE else f"cannot be listened on ({fault.strerror})"
            )
            msg = f"port {self.port} of {self.host} {reason}"
            raise PortTaken(msg) from fault
        self.port = self._listener.sockets[0].getsockname()[1]
        self._watch = loop.create_task(self.connections.watch(), name=f"connections of port {self.port}")

    def _handshake(self) -> dict[str, Any]:
        return {"ssl_handshake_timeout": self.connections.guard.head_s} if self._tls is not None else {}

    def leave(self) -> None:
        """Have each connection end with its next answer, which says so: clients go elsewhere unharmed."""
        self._leaving = True

    async def stop(self, drain_s: float = 5.0) -> None:
        """Take no more connections, let requests under way end, then close."""
        if self._listener is None:
            return
        self._listener.close()
        self._server.pre_shutdown()
        await self._server.shutdown(drain_s)
        if self._watch is not None:
            self._watch.cancel()

    async def _respond(self, raw: RawRequest) -> Whole | Switched | web.StreamResponse:
        assert isinstance(raw.protocol, Connection)  # noqa: S101 (the server above makes no other)
        wrong = flaw(raw.message)
        if wrong is not None:
            return last(raw, answer(Problem("malformed", wrong)))
        response = await self._handler.handle(raw.request(raw.protocol.peer, secure=raw.protocol.secure))
        if isinstance(response.body, bytes):
            return last(raw, response) if self._leaving else whole(raw, response)
        if response.status == HTTPStatus.SWITCHING_PROTOCOLS and isinstance(raw.body, Tunnel):
            raw.body.begin()
            return Switched(raw, response)
        return await streamed(raw, response)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        found: int = probe.getsockname()[1]
        return found
