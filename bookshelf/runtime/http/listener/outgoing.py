"""Answers as bytes: what HTTP/1.1 asks of them, whatever the handler said."""

import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

from bookshelf.runtime.http.lines import ended
from bookshelf.runtime.http.listener.arrival import Arrival
from bookshelf.runtime.http.message import Response

_PHRASES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
#: These never have a body (RFC 9110, 15.3.5 and 15.4.5), nor has what answers a HEAD.
_BODILESS = frozenset({204, 304})


class _Stamp:
    """The lines that every answer has: the date, written once a second, and who says it."""

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


def bodiless(arrival: Arrival, response: Response) -> bool:
    """Whether nothing may follow the head."""
    return response.status in _BODILESS or arrival.method == "HEAD"


def whole(arrival: Arrival, response: Response, *, kept: bool) -> bytes:
    """Return an answer whose bytes are all here. Raises `Unwritable`."""
    content = response.body
    assert isinstance(content, bytes)  # noqa: S101 (the caller looked)
    framing = ""
    if response.status not in _BODILESS and "Content-Length" not in response.headers:
        framing = f"Content-Length: {len(content)}\r\n"
    said = head(arrival, response.status, response.headers, framing, kept=kept)
    return said if bodiless(arrival, response) else said + content


def head(arrival: Arrival, status: int, headers: Mapping[str, str], framing: str, *, kept: bool) -> bytes:
    """Return an answer's head. Raises `Unwritable`."""
    lines = [f"HTTP/1.{arrival.minor} {_PHRASES[status]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    stays = "" if kept and arrival.minor else f"Connection: {'keep-alive' if kept else 'close'}\r\n"
    return f"{ended(lines)}{framing}{stays}{_stamp()}\r\n".encode("utf-8", "surrogateescape")
