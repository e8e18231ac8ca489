"""A handler behind a real port: aiohttp's server, without its application framework."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bookshelf.runtime.http.message import BrokenBody, Bytes, Handler, Request, Response, TooLarge
from bookshelf.runtime.http.problem import Problem, answer

#: A client that sends nothing for this long, in the middle of a body, is cut off.
BODY_IDLE_S = 10.0
KEEPALIVE_S = 75.0
_EMPTY = Bytes()
_SERVER = "bookshelf"


class PortTaken(Exception):
    """The port cannot be listened on; says which, and what to try."""


class Incoming:
    """A request's body as it comes from the socket. Compressed bytes are left as they are."""

    __slots__ = ("_content",)

    def __init__(self, content: asyncio.StreamReader) -> None:
        self._content = content

    async def read(self, limit: int) -> bytes:
        """Return all of it."""
        pieces: list[bytes] = []
        size = 0
        async for piece in self.stream():
            size += len(piece)
            if size > limit:
                raise TooLarge(limit)
            pieces.append(piece)
        return b"".join(pieces)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield it piece by piece."""
        while not self._content.at_eof():
            try:
                async with asyncio.timeout(BODY_IDLE_S):
                    piece = await self._content.readany()  # type: ignore[attr-defined]  # aiohttp's own reader
            except TimeoutError:
                msg = f"nothing more of the body came for {BODY_IDLE_S:.0f} s"
                raise BrokenBody(msg) from None
            except (OSError, web.HTTPException, web.PayloadAccessError) as fault:
                msg = "the body did not come to its end"
                raise BrokenBody(msg) from fault
            if piece:
                yield piece


class _Connection(RequestHandler):
    """Says even what aiohttp itself refuses as problem details, and nothing of the inside."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 (it may quote the inside)
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            msg = "the answer had begun already"
            raise ConnectionError(msg) from exc
        kind = {400: "malformed", 504: "gateway-timeout"}.get(status, "internal")
        detail = "the request is not HTTP/1.1, or larger than is taken" if status == 400 else "unexpected"  # noqa: PLR2004
        response = _plain(answer(Problem(kind, detail)))
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class HttpServer:
    """Serves a handler on host and port; port 0 takes any free one."""

    def __init__(self, handler: Handler, host: str, port: int) -> None:
        self._handler = handler
        self.host = host
        self.port = port
        self._server = _Server(
            self._respond, auto_decompress=False, access_log=None, keepalive_timeout=KEEPALIVE_S
        )
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

    async def _respond(self, raw: web.BaseRequest) -> web.StreamResponse:
        body = Incoming(raw.content) if raw.body_exists else _EMPTY  # type: ignore[arg-type]
        request = Request(raw.method, raw._message.path, raw.headers, body, raw.remote or "")  # noqa: SLF001
        response = await self._handler.handle(request)
        if isinstance(response.body, bytes):
            return _plain(response)
        return await _streamed(raw, response)


def _plain(response: Response) -> web.Response:
    assert isinstance(response.body, bytes)  # noqa: S101 (the caller looked)
    made = web.Response(status=response.status, body=response.body)
    made.headers.extend(response.headers)
    made.headers["Server"] = _SERVER
    return made


async def _streamed(raw: web.BaseRequest, response: Response) -> web.StreamResponse:
    made = web.StreamResponse(status=response.status, headers=response.headers)
    made.headers["Server"] = _SERVER
    await made.prepare(raw)
    assert not isinstance(response.body, bytes)  # noqa: S101 (the caller looked)
    try:
        async for piece in response.body:
            await made.write(piece)
    except BrokenBody as fault:
        # the status is sent: only a cut connection still tells the client that this is not all
        msg = "the upstream's body broke off"
        raise ConnectionResetError(msg) from fault
    await made.write_eof()
    return made


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        found: int = probe.getsockname()[1]
        return found
