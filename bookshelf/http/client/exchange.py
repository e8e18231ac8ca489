"""One request and its answer over one connection."""

import asyncio
from collections.abc import AsyncIterator

from bookshelf.http.client.connection import ClientConnection
from bookshelf.http.client.errors import NoResponse
from bookshelf.http.client.pool import ConnectionPool
from bookshelf.http.client.response_parser import ResponseParser
from bookshelf.http.message import BrokenBody, BytesBody, Headers, Request, Response, join_lines


class Exchange:
    """Sends a request; its answer's body comes from here. Whoever lets go of it gives the connection back."""

    def __init__(self, lines: ConnectionPool, line: ClientConnection, patience_s: float) -> None:
        self._lines = lines
        self._line: ClientConnection | None = line
        self._patience_s = patience_s
        self._upload: asyncio.Task[None] | None = None

    async def run(self, request: Request, host: str) -> Response:
        """Return the answer, whole if it is here already. Raises `NoResponse`."""
        try:
            return await self._run(request, host)
        except BaseException:
            self._let_go()
            raise

    async def _run(self, request: Request, host: str) -> Response:
        line, body = self._line, request.body
        assert line is not None  # noqa: S101 (it begins with one)
        tunnel = upgrades(request.headers)
        answer = ResponseParser(head_only=request.method == "HEAD", upgrades=tunnel)
        content = body.content if isinstance(body, BytesBody) else b""
        line.ask(request_head(request, host) + content, answer)
        if not tunnel and not isinstance(body, BytesBody):
            self._upload = asyncio.create_task(self._send(line, framed(request)))
        await self._answered(line)
        if answer.switched:
            self._upload = asyncio.create_task(self._tunnel(line, body.stream()))
        elif answer.done and (self._upload is None or self._upload.done()):
            whole = b"".join(answer.pieces)
            self._let_go()
            return Response(answer.status, answer.headers, whole)
        return Response(answer.status, answer.headers, self)

    async def _answered(self, line: ClientConnection) -> None:
        """Wait for the head. An upload that breaks off is the end of it, one that is refused is not."""
        try:
            await line.ready(self._patience_s)
        except NoResponse:
            upload = self._upload
            if upload is not None and upload.done() and not upload.cancelled() and upload.exception():
                raise NoResponse("the body broke off") from upload.exception()
            raise

    async def _send(self, line: ClientConnection, pieces: AsyncIterator[bytes]) -> None:
        try:
            async for piece in pieces:
                line.write(piece)
                await line.drain()
        except NoResponse:
            pass  # it was answered before its end, or the connection is gone: who reads learns it
        except BaseException:
            line.close()  # half a body must not look whole
            raise

    async def _tunnel(self, line: ClientConnection, pieces: AsyncIterator[bytes]) -> None:
        await self._send(line, pieces)
        line.finish()

    def __aiter__(self) -> "Exchange":
        """Return itself: there is one reader."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece of the answer. Raises `BrokenBody`."""
        if self._line is None:
            raise StopAsyncIteration
        try:
            piece = await self._line.piece(self._patience_s)
        except BrokenBody:
            self._let_go()
            raise
        if not piece:
            self._let_go()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Let go, wherever it stands."""
        self._let_go()

    def _let_go(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        upload = self._upload
        if upload is not None:
            if not upload.done():
                line.close()  # the rest of the body would be taken for the next request
                upload.cancel()
            upload.add_done_callback(_retrieved)
        self._lines.give(line)


def _retrieved(upload: asyncio.Task[None]) -> None:
    """Take note of how it ended: who waited for the answer has been told."""
    if not upload.cancelled():
        upload.exception()


#: Said anew for this connection.
_FRAMING = frozenset({"content-length", "transfer-encoding", "host", "connection", "upgrade"})


def upgrades(headers: Headers) -> bool:
    """Whether this asks for the connection to become a tunnel (RFC 9110, 7.8)."""
    return "Upgrade" in headers


def request_head(request: Request, host: str) -> bytes:
    """Return the head of a request. The body, and no header of the hop before, says how it is framed.

    Raises `Unwritable`.
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
    """Yield the body's pieces as they go over the wire."""
    if not _streamed(request.headers).startswith("Transfer"):
        async for piece in request.body.stream():
            yield piece
        return
    async for piece in request.body.stream():
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
