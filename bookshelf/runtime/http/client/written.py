"""A request as bytes."""

import re
from collections.abc import AsyncIterator

from multidict import CIMultiDict

from bookshelf.runtime.http.message import Bytes, Headers, Request

#: What a target or a header's value must not have in it: it would end its line, and begin another.
_ENDS = re.compile(r"[\r\n\0]")
_FRAMING = ("Content-Length", "Transfer-Encoding", "Host", "Connection", "Upgrade")


class Unwritable(ValueError):
    """The request cannot be written down as HTTP: a value of it has a line's end in it."""


def upgrades(headers: Headers) -> bool:
    """Whether this asks for the connection to become a tunnel (RFC 9110, 7.8)."""
    return "Upgrade" in headers


def head(request: Request, host: str) -> bytes:
    """Return the head of a request. The body, and no header of the hop before, says how it is framed."""
    body = request.body
    lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in _passed(request.headers).items()]
    if upgrades(request.headers):
        lines += ["Connection: Upgrade", f"Upgrade: {request.headers['Upgrade']}"]
    elif not isinstance(body, Bytes):
        lines.append(_streamed(request.headers))
    elif body.content or request.method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body.content)}")
    text = "\r\n".join(lines)
    if len(_ENDS.findall(text)) != 2 * (len(lines) - 1):
        raise Unwritable("a header's value has a line's end in it")
    return f"{text}\r\n\r\n".encode("utf-8", "surrogateescape")


def _passed(headers: Headers) -> Headers:
    if not any(name in headers for name in _FRAMING):
        return headers
    passed = CIMultiDict(headers)
    for name in _FRAMING:
        passed.popall(name, None)
    return passed


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
