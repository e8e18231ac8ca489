"""HTTP server: listens on a port and passes requests to a handler."""

import asyncio
import errno
import socket
from collections.abc import Iterable
from ssl import SSLContext

from bookshelf.http.acceptor import Acceptor
from bookshelf.http.limits import ConnectionLimits, Connections
from bookshelf.http.message import Handler
from bookshelf.http.request_check import CheckedHandler, RequestCheck
from bookshelf.http.server_connection import ServerConnection

#: Established connections that may wait to be accepted.
_BACKLOG = 1024


class PortTaken(Exception):
    """The port cannot be listened on; the message has the port and the reason."""

    def __init__(self, host: str, port: int, fault: OSError) -> None:
        taken = fault.errno == errno.EADDRINUSE
        why = "is taken" if taken else f"cannot be listened on ({fault.strerror})"
        super().__init__(f"port {port} of {host} {why}")


class HttpServer:
    """Serves a handler on host and port; port 0 means any free port.

    `cancels`: a request is cancelled when its client disconnects. `allowed_hosts`: names that `Host` may
    have beside the usual ones; None if the handler checks requests itself.
    """

    def __init__(  # noqa: PLR0913 (each is a property of the port)
        self,
        handler: Handler,
        host: str,
        port: int,
        *,
        guard: ConnectionLimits | None = None,
        tls: SSLContext | None = None,
        cancels: bool = False,
        allowed_hosts: Iterable[str] | None = (),
    ) -> None:
        if allowed_hosts is not None:
            handler = CheckedHandler(handler, RequestCheck((host, *allowed_hosts)))
        self._handler: Handler = handler
        self.host = host
        self.port = port
        self._tls = tls
        self.connections = Connections(guard or ConnectionLimits(), cancels=cancels)
        self._acceptor = Acceptor(
            lambda: ServerConnection(self._handler, self.connections), tls, self.connections.guard.head_s
        )
        self._listener: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, *, shared: bool = False) -> None:
        """Listen on the port. `shared`: together with other processes; the system distributes connections.

        Raises `PortTaken`.
        """
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                self._acceptor.protocol,
                self.host,
                self.port,
                backlog=_BACKLOG,
                ssl=self._tls,
                reuse_port=shared,
                ssl_handshake_timeout=self.connections.guard.head_s if self._tls is not None else None,
            )
        except OSError as fault:
            raise PortTaken(self.host, self.port, fault) from fault
        self._acceptor.attach(self._listener)
        self.port = self._listener.sockets[0].getsockname()[1]
        self._watch = loop.create_task(self.connections.watch(), name=f"connections of port {self.port}")

    def leave(self) -> None:
        """Close each connection after its next response, which announces it with `Connection: close`."""
        self.connections.leaving = True

    async def stop(self, drain_s: float = 5.0) -> None:
        """Accept no more connections, wait up to `drain_s` for requests under way, then close."""
        if self._listener is None:
            return
        self.leave()
        await self._acceptor.accept_last()
        self._acceptor.close()
        self._listener.close()
        await self.connections.end(drain_s)
        if self._watch is not None:
            self._watch.cancel()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
