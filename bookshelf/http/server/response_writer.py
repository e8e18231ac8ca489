"""Writes responses: complete ones with one write, streamed ones by length or in chunks."""

import time
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from http import HTTPStatus

from multidict import CIMultiDict

from bookshelf.http.message import BrokenBody, Response, close_body, join_lines
from bookshelf.http.server.protocol import WriteProtocol
from bookshelf.http.server.request_parser import IncomingRequest

_PHRASES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
#: Statuses whose responses have no body (RFC 9110, 15.3.5 and 15.4.5); a response to HEAD has none either.
_NO_BODY = frozenset({204, 304})


class _Stamp:
    """The headers of every response: `Date`, formatted once a second, and `Server`."""

    def __init__(self) -> None:
        self._second = 0
        self._lines = ""

    def __call__(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._lines = f"Date: {formatdate(second, usegmt=True)}\r\nServer: bookshelf\r\n"
        return self._lines


_stamp = _Stamp()


def bodiless(arrival: IncomingRequest, response: Response) -> bool:
    """Return True if the response has no body after its head."""
    return response.status in _NO_BODY or arrival.method == "HEAD"


def whole_response(arrival: IncomingRequest, response: Response, *, kept: bool) -> bytes:
    """Encode a response whose body is bytes. Raises `InvalidHeader`."""
    content = response.body
    assert isinstance(content, bytes)  # noqa: S101 (the caller looked)
    framing = ""
    if response.status not in _NO_BODY and "Content-Length" not in response.headers:
        framing = f"Content-Length: {len(content)}\r\n"
    head = response_head(arrival, response.status, response.headers, framing, kept=kept)
    return head if bodiless(arrival, response) else head + content


def response_head(
    arrival: IncomingRequest, status: int, headers: Mapping[str, str], framing: str, *, kept: bool
) -> bytes:
    """Encode a response's head. Raises `InvalidHeader`."""
    lines = [f"HTTP/1.{arrival.minor} {_PHRASES[status]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    stays = "" if kept and arrival.minor else f"Connection: {'keep-alive' if kept else 'close'}\r\n"
    return f"{join_lines(lines)}{framing}{stays}{_stamp()}\r\n".encode("utf-8", "surrogateescape")


async def write_streamed(
    wire: WriteProtocol, arrival: IncomingRequest, response: Response, *, kept: bool
) -> bool:
    """Send a response piece by piece; return True if another can follow it on this connection.

    Raises `ConnectionResetError` if the body fails: the status is sent already, so only a closed connection
    shows the client that the response is incomplete.
    """
    assert not isinstance(response.body, bytes)  # noqa: S101 (the caller looked)
    given = response.headers.get("Content-Length")
    length = None if given is None else int(given)
    framing = ""
    chunked = length is None and arrival.minor == 1 and not bodiless(arrival, response)
    if chunked:
        framing = "Transfer-Encoding: chunked\r\n"
    kept = kept and (chunked or length is not None or bodiless(arrival, response))
    try:
        await wire.send(response_head(arrival, response.status, response.headers, framing, kept=kept))
        if not bodiless(arrival, response):
            await (
                _write_chunks(wire, response.body) if chunked else _write_plain(wire, response.body, length)
            )
    except BrokenBody as fault:
        raise ConnectionResetError("the body broke off") from fault
    finally:
        await close_body(response.body)
    return kept


async def _write_chunks(wire: WriteProtocol, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        if piece:
            await wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await wire.send(b"0\r\n\r\n")


async def _write_plain(wire: WriteProtocol, pieces: AsyncIterator[bytes], length: int | None) -> None:
    left = length
    async for piece in pieces:
        if left is not None:
            left -= len(piece)
            if left < 0:
                break
        await wire.send(piece)
    if left:
        raise BrokenBody("the body is shorter than its Content-Length")


async def write_switched(wire: WriteProtocol, arrival: IncomingRequest, response: Response) -> None:
    """Send a 101 and then the bytes of the tunnel, unframed, until either side closes."""
    named = CIMultiDict(response.headers)
    named["Connection"] = "Upgrade"
    assert not isinstance(response.body, bytes)  # noqa: S101 (a tunnel's never is)
    try:
        await wire.send(response_head(arrival, response.status, named, "", kept=True))
        async for piece in response.body:
            await wire.send(piece)
    except BrokenBody as fault:
        raise ConnectionResetError("the tunnel broke off") from fault
    finally:
        await close_body(response.body)
