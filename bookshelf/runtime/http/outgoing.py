"""Answers on their way out: small ones in one write, others piece by piece through aiohttp's own."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict

from bookshelf.runtime.http.incoming import Incoming, RawRequest
from bookshelf.runtime.http.message import BrokenBody, Response, let_go

_SERVER = "bookshelf"
#: Seconds for a body that was not asked for and comes all the same, so that the answer is not lost with it.
_LINGER_S = 0.5
_PHRASES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
#: These never have a body (RFC 9110, 15.3.5 and 15.4.5).
_BODILESS = frozenset({204, 304})


class Whole:
    """An answer whose bytes are all here. aiohttp's connection asks no more of one than this."""

    __slots__ = ("_content", "_raw", "keep_alive")

    def __init__(self, raw: RawRequest, response: Response, *, keep_alive: bool) -> None:
        assert isinstance(response.body, bytes)  # noqa: S101 (the caller looked)
        self.keep_alive = keep_alive
        self._raw = raw
        bodiless = response.status in _BODILESS
        length = None if bodiless or "Content-Length" in response.headers else len(response.body)
        head = _head(raw.message, response.status, response.headers, length, keep_alive=keep_alive)
        self._content = head if bodiless or raw.message.method == "HEAD" else head + response.body

    async def prepare(self, _request: RawRequest) -> None:
        """Be ready already."""

    async def write_eof(self) -> None:
        """Send it. Raises `ConnectionResetError` if the client has gone."""
        transport = self._raw.protocol.transport
        if transport is None or transport.is_closing():
            msg = "the client has gone"
            raise ConnectionResetError(msg)
        transport.write(self._content)
        await self._raw.writer.drain()


def whole(raw: RawRequest, response: Response) -> Whole:
    """Answer a request that was understood.

    A client that was not told to send its body may or may not: nothing can follow on its connection.
    """
    uninvited = isinstance(raw.body, Incoming) and raw.body.uninvited
    if uninvited:
        raw.protocol._lingering_time = _LINGER_S  # noqa: SLF001 (aiohttp would wait for the body for long)
    return Whole(raw, response, keep_alive=not raw.message.should_close and not uninvited)


def last(raw: RawRequest, response: Response) -> Whole:
    """Answer what was not understood; the connection ends with it."""
    return Whole(raw, response, keep_alive=False)


def _head(
    asked: RawRequestMessage, status: int, headers: Mapping[str, str], length: int | None, *, keep_alive: bool
) -> bytes:
    version = asked.version
    lines = [f"HTTP/{version.major}.{version.minor} {_PHRASES[status]}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
    if length is not None:
        lines.append(f"Content-Length: {length}\r\n")
    if not keep_alive:
        lines.append("Connection: close\r\n")
    elif version.minor == 0:
        lines.append("Connection: keep-alive\r\n")
    lines.append(f"Date: {rfc822_formatted_time()}\r\n")
    lines.append(f"Server: {_SERVER}\r\n")
    text = "".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\0" in text:
        msg = "a header's value has a line's end in it"
        raise ValueError(msg)
    return f"{text}\r\n".encode("utf-8", "surrogateescape")


async def streamed(raw: RawRequest, response: Response) -> web.StreamResponse:
    """Send an answer as its pieces come. Raises `ConnectionResetError` when they break off."""
    made = web.StreamResponse(status=response.status, headers=response.headers)
    made.headers["Server"] = _SERVER
    assert not isinstance(response.body, bytes)  # noqa: S101 (the caller looked)
    try:
        await made.prepare(raw.whole())
        async for piece in response.body:
            await made.write(piece)
    except BrokenBody as fault:
        # the status is sent: only a cut connection still tells the client that this is not all
        msg = "the upstream's body broke off"
        raise ConnectionResetError(msg) from fault
    finally:
        await let_go(response.body)
    await made.write_eof()
    return made


class Switched:
    """An answer after which the connection is a tunnel: its body goes out as it comes, framed by no one."""

    keep_alive = False

    def __init__(self, raw: RawRequest, response: Response) -> None:
        self._raw = raw
        self._response = response

    async def prepare(self, raw: RawRequest) -> None:
        """Send the head."""
        named = CIMultiDict(self._response.headers)
        named["Connection"] = "Upgrade"
        self._write(_head(raw.message, self._response.status, named, None, keep_alive=True))

    async def write_eof(self) -> None:
        """Send what comes, until either side closes."""
        assert not isinstance(self._response.body, bytes)  # noqa: S101 (a tunnel's never is)
        try:
            async for piece in self._response.body:
                self._write(piece)
                await self._raw.writer.drain()
        except BrokenBody as fault:
            raise ConnectionResetError("the tunnel broke off") from fault
        finally:
            await let_go(self._response.body)

    def _write(self, data: bytes) -> None:
        transport = self._raw.protocol.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(data)
