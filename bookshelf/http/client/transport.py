"""Requests to other services: over sockets, or straight to a handler of the same process."""

from collections.abc import Set as AbstractSet
from typing import Protocol

from bookshelf.http.client.errors import NoResponse, Unreachable
from bookshelf.http.client.exchange import Exchange
from bookshelf.http.client.pool import AddressCheck, ConnectionPool
from bookshelf.http.message import Handler, Request, Response

__all__ = ("HttpTransport", "LocalTransport", "NoResponse", "Transport", "Unreachable")

#: Seconds for the connection, and between two pieces of an answer.
CONNECT_S = 2.0
ANSWER_S = 30.0


class Transport(Protocol):
    """The way to another service's instance."""

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Send and return the answer; its body may still stream. Raises `Unreachable`, `NoResponse`."""

    async def close(self) -> None:
        """Let connections go."""


class HttpTransport:
    """Over HTTP/1.1, with kept connections. Nothing is decoded, followed or tried twice.

    `objection` says why no one connects to an address, as a name was resolved to it.
    """

    def __init__(self, connections: int = 256, objection: AddressCheck | None = None) -> None:
        self._objection = objection
        self._most = connections
        self._lines: dict[tuple[str, int], ConnectionPool] = {}

    @property
    def places(self) -> AbstractSet[tuple[str, int]]:
        """The addresses that something is kept of."""
        return self._lines.keys()

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Send over a socket."""
        lines = self._lines.get((address, port))
        if lines is None:
            self._forget_idle()
            lines = self._lines[address, port] = ConnectionPool(
                address, port, self._most, CONNECT_S, self._objection
            )
        host = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        return await Exchange(lines, await lines.take(), ANSWER_S).run(request, host)

    def _forget_idle(self) -> None:
        """Forget addresses that no one speaks to any more: instances come and go, and seldom come back."""
        for place, lines in tuple(self._lines.items()):
            lines.prune()
            if lines.empty:
                del self._lines[place]

    async def close(self) -> None:
        """Close the connections."""
        for lines in self._lines.values():
            lines.close()


class LocalTransport:
    """Straight to the handlers of this process; anyone else over `beyond`."""

    def __init__(self, beyond: Transport | None = None) -> None:
        self._handlers: dict[tuple[str, int], Handler] = {}
        self._beyond = beyond

    def attach(self, address: str, port: int, handler: Handler) -> None:
        """Say that a handler of this process answers at an address."""
        self._handlers[address, port] = handler

    def detach(self, address: str, port: int) -> None:
        """Say that no one answers there any more."""
        self._handlers.pop((address, port), None)

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Call the handler."""
        handler = self._handlers.get((address, port))
        if handler is not None:
            return await handler.handle(request)
        if self._beyond is None:
            msg = f"no one answers at {address}:{port}"
            raise Unreachable(msg)
        return await self._beyond.send(address, port, request)

    async def close(self) -> None:
        """Close the way beyond."""
        if self._beyond is not None:
            await self._beyond.close()
