"""A request as bytes."""

from collections.abc import AsyncIterator

from bookshelf.runtime.http.lines import ended
from bookshelf.runtime.http.message import Bytes, Headers, Request

#: Said anew for this connection.
_FRAMING = frozenset({"content-length", "transfer-encoding", "host", "connection", "upgrade"})


def upgrades(headers: Headers) -> bool:
    """Whether this asks for the connection to become a tunnel (RFC 9110, 7.8)."""
    return "Upgrade" in headers


def head(request: Request, host: str) -> bytes:
    """Return the head of a request. The body, and no header of the hop before, says how it is framed.

    Raises `Unwritable`.
    """
    body = request.body
    lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() not in _FRAMING]
    if upgrades(request.headers):
        lines += ["Connection: Upgrade", f"Upgrade: {request.headers['Upgrade']}"]
    elif not isinstance(body, Bytes):
        lines.append(_streamed(request.headers))
    elif body.content or request.method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body.content)}")
    return f"{ended(lines)}\r\n".encode("utf-8", "surrogateescape")


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
