"""HTTP requests and responses as values, independent of the transport."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

Headers = CIMultiDict[str] | CIMultiDictProxy[str]


class TooLarge(Exception):
    """The body has more bytes than `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a body may have {limit} bytes at most")
        self.limit = limit


class BrokenBody(Exception):
    """The body did not arrive completely, or not in time."""


class Body(Protocol):
    """The bytes of a message, as they arrive."""

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises `TooLarge`, `BrokenBody`."""

    def stream(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece. Raises `BrokenBody`."""


async def gather(pieces: AsyncIterator[bytes], limit: int) -> bytes:
    """Return all pieces joined. Raises `TooLarge` if they have more than `limit` bytes."""
    content: list[bytes] = []
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooLarge(limit)
        content.append(piece)
    return b"".join(content)


class BytesBody:
    """A body that is in memory already."""

    __slots__ = ("content",)

    def __init__(self, content: bytes = b"") -> None:
        self.content = content

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises `TooLarge`."""
        if len(self.content) > limit:
            raise TooLarge(limit)
        return self.content

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body in one piece."""
        yield self.content


class Request(msgspec.Struct):
    """One HTTP request. `target` is the raw path and query as sent, neither decoded nor normalised.

    `peer` is the client's address; `resolved` is True if a trusted proxy has named it. `secure` is True for a
    request over TLS. `id` names the request in log lines; `actor` is the authenticated user, if there is one,
    with the `scopes` and the `session` of the token.
    """

    method: str
    target: str
    headers: Headers
    body: Body
    peer: str = ""
    secure: bool = False
    id: str = ""
    actor: str = ""
    resolved: bool = False
    scopes: frozenset[str] = frozenset()
    session: str | None = None


class Response(msgspec.Struct):
    """One HTTP response; the body is bytes or yields pieces. `headers` may repeat a name (Set-Cookie)."""

    status: int
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes] = b""


def with_field(headers: Mapping[str, str], name: str, value: str) -> Mapping[str, str]:
    """Return a copy of the headers with one more field, which they do not have yet."""
    if type(headers) is dict:  # most are: a copy of these, and reading it, takes a fraction of the time
        return {**headers, name: value}
    named = CIMultiDict(headers)
    named[name] = value
    return named


async def close_body(body: bytes | AsyncIterator[bytes]) -> None:
    """Close a body that is not read to its end, so that its source is released at once."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


async def pieces_of(response: Response) -> AsyncIterator[bytes]:
    """Yield the body of a response, and close it. Raises `BrokenBody`."""
    if isinstance(response.body, bytes):
        yield response.body
        return
    try:
        async for piece in response.body:
            yield piece
    finally:
        await close_body(response.body)


async def read_response(response: Response, limit: int) -> bytes:
    """Return the whole body of a response, and close it. Raises `TooLarge`, `BrokenBody`."""
    if isinstance(response.body, bytes):
        return await BytesBody(response.body).read(limit)
    try:
        return await gather(response.body, limit)
    finally:
        await close_body(response.body)


def request(method: str, target: str, content: bytes = b"", **headers: str) -> Request:
    """Make a request; header names are written with underscores in place of hyphens."""
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Request(method, target, named, BytesBody(content))


class Handler(Protocol):
    """Anything that answers requests: a service's API, the gateway, a transport to another process."""

    async def handle(self, request: Request) -> Response:
        """Return the response to a request; errors are responses too."""


class InvalidHeader(ValueError):
    """A header cannot be sent as HTTP, because its value contains a line break or a NUL."""


def join_lines(lines: Sequence[str]) -> str:
    """Return the lines, each followed by CRLF. Raises `InvalidHeader`."""
    text = "\r\n".join(lines) + "\r\n"
    if text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\0" in text:
        raise InvalidHeader("a header's value contains a line break or a NUL")
    return text
