"""Sends requests to other services: over sockets, or directly to a handler in the same process."""

import ssl
from collections.abc import Set as AbstractSet
from typing import Protocol
from urllib.parse import urlsplit

from bookshelf.http.client.connection import NoResponse, Unreachable
from bookshelf.http.client.exchange import Exchange
from bookshelf.http.client.pool import AddressCheck, ConnectionPool
from bookshelf.http.message import Handler, Request, Response

__all__ = ("HttpTransport", "LocalTransport", "NoResponse", "RemoteHandler", "Transport", "Unreachable")

#: Seconds for opening a connection, and for the response's head and between two pieces of its body.
CONNECT_S = 2.0
ANSWER_S = 30.0


class Transport(Protocol):
    """Sends requests to instances of services."""

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Return the response, whose body may still be arriving. Raises `Unreachable`, `NoResponse`."""

    async def close(self) -> None:
        """Close the connections."""


class HttpTransport:
    """Sends requests over HTTP/1.1 with connection pools; decodes nothing, follows and retries nothing.

    `objection` returns why connecting to an IP address, to which a name was resolved, is not allowed. With
    `tls`, all connections use TLS and verify the server by that context.
    """

    def __init__(
        self,
        connections: int = 256,
        objection: AddressCheck | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._objection = objection
        self._most = connections
        self._tls = tls
        self._answer_s = answer_s
        self._pools: dict[tuple[str, int], ConnectionPool] = {}

    @property
    def places(self) -> AbstractSet[tuple[str, int]]:
        """The addresses that have a connection pool."""
        return self._pools.keys()

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Send a request over a socket. Raises `Unreachable`, `NoResponse`."""
        pool = self._pools.get((address, port))
        if pool is None:
            self._forget_idle()
            pool = self._pools[address, port] = ConnectionPool(
                (address, port), self._most, CONNECT_S, self._objection, self._tls
            )
        host = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        return await Exchange(pool, await pool.take(), self._answer_s).run(request, host)

    def _forget_idle(self) -> None:
        """Drop the pools of addresses that are no longer used: instances seldom return to an address."""
        for place, pool in tuple(self._pools.items()):
            pool.prune()
            if pool.empty:
                del self._pools[place]

    async def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.close()


class RemoteHandler:
    """The server of a URL as a handler. Only the URL's scheme, host and port count, not its path.

    An https server is verified by `tls`, or else by the authorities that the system trusts.
    """

    def __init__(
        self,
        url: str,
        connections: int = 256,
        *,
        tls: ssl.SSLContext | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        self._place = (parts.hostname or "", parts.port or (443 if secure else 80))
        context = (tls or ssl.create_default_context()) if secure else None
        self._transport = HttpTransport(connections, tls=context, answer_s=answer_s)

    async def handle(self, request: Request) -> Response:
        """Return the server's response. Raises `Unreachable`, `NoResponse`."""
        return await self._transport.send(*self._place, request)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()


class LocalTransport:
    """Calls handlers of this process directly, and sends all other requests with the transport `beyond`."""

    def __init__(self, beyond: Transport | None = None) -> None:
        self._handlers: dict[tuple[str, int], Handler] = {}
        self._beyond = beyond

    def attach(self, address: str, port: int, handler: Handler) -> None:
        """Make a handler of this process answer the requests to an address."""
        self._handlers[address, port] = handler

    def detach(self, address: str, port: int) -> None:
        """Remove the handler of an address."""
        self._handlers.pop((address, port), None)

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Call the handler of the address, or send the request with `beyond`. Raises `Unreachable`."""
        handler = self._handlers.get((address, port))
        if handler is not None:
            return await handler.handle(request)
        if self._beyond is None:
            msg = f"nothing answers at {address}:{port}"
            raise Unreachable(msg)
        return await self._beyond.send(address, port, request)

    async def close(self) -> None:
        """Close the transport `beyond`."""
        if self._beyond is not None:
            await self._beyond.close()
