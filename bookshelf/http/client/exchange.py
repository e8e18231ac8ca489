"""Sends one request over one connection and reads its response."""

import asyncio
from collections.abc import AsyncIterator

from bookshelf.http.client.connection import ClientConnection, NoResponse, ResponseParser
from bookshelf.http.client.pool import ConnectionPool
from bookshelf.http.message import BrokenBody, BytesBody, Headers, Request, Response, join_lines


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
