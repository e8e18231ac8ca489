"""The HTTP client: sends requests over sockets, or directly to a handler in the same process."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from bookshelf.http.client_connection import ClientConnection, NoResponse, ResponseParser, Unreachable
from bookshelf.http.connection_pool import AddressCheck, ConnectionPool
from bookshelf.http.message import BrokenBody, BytesBody, Handler, Headers, Request, Response, join_lines


class Exchange:
    """One request and its response, whose body it yields; its end returns the connection to the pool."""

    def __init__(self, pool: ConnectionPool, connection: ClientConnection, patience_s: float) -> None:
        self._pool = pool
        self._connection: ClientConnection | None = connection
        self._patience_s = patience_s
        self._upload: asyncio.Task[None] | None = None

    async def run(self, request: Request, host: str) -> Response:
        """Send the request; return its response, with the whole body if that is here. Raises `NoResponse`."""
        try:
            return await self._run(request, host)
        except BaseException:
            self._release()
            raise

    async def _run(self, request: Request, host: str) -> Response:
        connection, body = self._connection, request.body
        assert connection is not None  # noqa: S101 (it begins with one)
        tunnel = upgrades(request.headers)
        answer = ResponseParser(head_only=request.method == "HEAD", upgrades=tunnel)
        content = body.content if isinstance(body, BytesBody) else b""
        connection.ask(request_head(request, host) + content, answer)
        if not tunnel and not isinstance(body, BytesBody):
            self._upload = asyncio.create_task(self._send(connection, framed(request)))
        await self._wait_for_head(connection)
        if answer.switched:
            self._upload = asyncio.create_task(self._tunnel(connection, body.stream()))
        elif answer.done and (self._upload is None or self._upload.done()):
            whole = b"".join(answer.pieces)
            self._release()
            return Response(answer.status, answer.headers, whole)
        return Response(answer.status, answer.headers, self)

    async def _wait_for_head(self, connection: ClientConnection) -> None:
        """Wait for the response's head. A failed upload fails the request; an early response does not."""
        try:
            await connection.ready(self._patience_s)
        except NoResponse:
            upload = self._upload
            if upload is not None and upload.done() and not upload.cancelled() and upload.exception():
                raise NoResponse("the body broke off") from upload.exception()
            raise

    async def _send(self, connection: ClientConnection, pieces: AsyncIterator[bytes]) -> None:
        try:
            async for piece in pieces:
                connection.write(piece)
                await connection.drain()
        except NoResponse:
            pass  # the server answered early, or the connection is closed: reading the response shows which
        except BaseException:
            connection.close()  # the server must not take a part of the body for all of it
            raise

    async def _tunnel(self, connection: ClientConnection, pieces: AsyncIterator[bytes]) -> None:
        await self._send(connection, pieces)
        connection.finish()

    def __aiter__(self) -> "Exchange":
        """Return itself, because the body has one reader."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece of the response's body. Raises `BrokenBody`."""
        if self._connection is None:
            raise StopAsyncIteration
        try:
            piece = await self._connection.piece(self._patience_s)
        except BrokenBody:
            self._release()
            raise
        if not piece:
            self._release()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Return the connection to the pool, also before the end of the body."""
        self._release()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        upload = self._upload
        if upload is not None:
            if not upload.done():
                connection.close()  # the server would take the rest of the body for the next request
                upload.cancel()
            upload.add_done_callback(_retrieved)
        self._pool.give(connection)


def _retrieved(upload: asyncio.Task[None]) -> None:
    """Retrieve the upload's exception, which the response reports, so that asyncio does not log it."""
    if not upload.cancelled():
        upload.exception()


#: Headers that are set anew for each connection.
_FRAMING = frozenset({"content-length", "transfer-encoding", "host", "connection", "upgrade"})


def upgrades(headers: Headers) -> bool:
    """Return True if the request asks to upgrade the connection to a tunnel (RFC 9110, 7.8)."""
    return "Upgrade" in headers


def request_head(request: Request, host: str) -> bytes:
    """Encode the head of a request. The framing follows from the body, not from headers of the former hop.

    Raises `InvalidHeader`.
    """
    body = request.body
    lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() not in _FRAMING]
    if upgrades(request.headers):
        lines += ["Connection: Upgrade", f"Upgrade: {request.headers['Upgrade']}"]
    elif not isinstance(body, BytesBody):
        lines.append(_streamed(request.headers))
    elif body.content or request.method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body.content)}")
    return f"{join_lines(lines)}\r\n".encode("utf-8", "surrogateescape")


def _streamed(headers: Headers) -> str:
    length = headers.get("Content-Length")
    if length is None or "Transfer-Encoding" in headers:
        return "Transfer-Encoding: chunked"
    return f"Content-Length: {length}"


async def framed(request: Request) -> AsyncIterator[bytes]:
    """Yield the body's pieces as they are sent: in chunks, or as they are if their length is known."""
    if not _streamed(request.headers).startswith("Transfer"):
        async for piece in request.body.stream():
            yield piece
        return
    async for piece in request.body.stream():
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


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

    After an error (status 400 and more) the next request opens a connection: the name may lead to another
    server by now, and a kept connection would lead to the former without end. An https server is verified by
    `tls`, or else by the authorities that the system trusts.
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
        response = await self._transport.send(*self._place, request)
        if response.status >= HTTPStatus.BAD_REQUEST:
            await self.close()
        return response

    async def close(self) -> None:
        """Close the idle connections; another request opens a new one."""
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
