"""Requests and responses as values, independent of what carries them."""

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
    """The body did not arrive whole, or not in time."""


class Body(Protocol):
    """The bytes of a message, as they arrive."""

    async def read(self, limit: int) -> bytes:
        """Return all of it. Raises `TooLarge`, `BrokenBody`."""

    def stream(self) -> AsyncIterator[bytes]:
        """Yield it piece by piece. Raises `BrokenBody`."""


async def gather(pieces: AsyncIterator[bytes], limit: int) -> bytes:
    """Return all of them. Raises `TooLarge`."""
    content: list[bytes] = []
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooLarge(limit)
        content.append(piece)
    return b"".join(content)


class BytesBody:
    """A body that is here already."""

    __slots__ = ("content",)

    def __init__(self, content: bytes = b"") -> None:
        self.content = content

    async def read(self, limit: int) -> bytes:
        """Return it."""
        if len(self.content) > limit:
            raise TooLarge(limit)
        return self.content

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield it in one piece."""
        yield self.content


class Request(msgspec.Struct):
    """One request. `target` is the raw path and query, as sent: nothing decoded, nothing normalised.

    `peer` is the address that it came from, and `resolved` says that a trusted proxy has named it; `secure`
    says whether it came over TLS; `id` names it in log lines, and `actor` is who sends it, once known.
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


class Response(msgspec.Struct):
    """One response; the body as bytes, or piece by piece. `headers` may name one twice (Set-Cookie)."""

    status: int
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes] = b""


async def close_body(body: bytes | AsyncIterator[bytes]) -> None:
    """Close a body that no one reads on: what it comes from learns it now, and not when memory is cleared."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


def request(method: str, target: str, content: bytes = b"", **headers: str) -> Request:
    """Make a request by hand; header names are given with underscores."""
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Request(method, target, named, BytesBody(content))


class Handler(Protocol):
    """Whatever answers requests: a service's edge, the gateway, a transport to another process."""

    async def handle(self, request: Request) -> Response:
        """Answer; faults are answers too."""


class InvalidHeader(ValueError):
    """It cannot be written down as HTTP: a value of it has a line's end in it."""


def join_lines(lines: Sequence[str]) -> str:
    """Return the lines, each with its end. Raises `InvalidHeader`."""
    text = "\r\n".join(lines) + "\r\n"
    if text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\0" in text:
        raise InvalidHeader("a header's value has a line's end in it")
    return text
