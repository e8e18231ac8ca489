"""A minimal HTTP/1.1 client codec: it must cost little, because client and server share the machine."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
_NO_BODY = frozenset({204, 304})


class WireResponse(NamedTuple):
    """A complete response; `head` has the raw status line and headers."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's value; None if it is missing."""
        match = re.search(rb"\r\n%s: *([^\r]*)" % re.escape(name.encode()), self.head, re.IGNORECASE)
        return match[1].decode() if match else None


class Answers:
    """Parses responses from received bytes. A chunked body keeps its chunk framing."""

    def __init__(self) -> None:
        self._bytes = b""

    def feed(self, data: bytes) -> WireResponse | None:
        """Return the response once it is complete; with one request at a time, nothing follows it."""
        self._bytes += data
        end = self._bytes.find(b"\r\n\r\n")
        if end < 0:
            return None
        head, body = self._bytes[:end], self._bytes[end + 4 :]
        status = int(head[9:12])
        if not _whole(status, head, body):
            return None
        self._bytes = b""
        return WireResponse(status, head, body)


def _whole(status: int, head: bytes, body: bytes) -> bool:
    if status in _NO_BODY:
        return True
    length = _LENGTH.search(head)
    if length is not None:
        return len(body) >= int(length[1])
    return _CHUNKED.search(head) is not None and body.endswith(_LAST_CHUNK)


def get(target: str, **headers: str) -> bytes:
    """Return the bytes of a GET."""
    return _head("GET", target, headers) + b"\r\n"


def post(target: str, content: object, **headers: str) -> bytes:
    """Return the bytes of a POST of JSON."""
    body = msgspec.json.encode(content)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    return _head("POST", target, headers) + b"\r\n" + body


def post_form(target: str, fields: Mapping[str, str]) -> bytes:
    """Return the bytes of a POST of a form."""
    body = urlencode(fields).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    return _head("POST", target, headers) + b"\r\n" + body


def _head(method: str, target: str, headers: dict[str, str]) -> bytes:
    named = {"Host": "localhost", **headers}
    lines = (f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"{method} {target} HTTP/1.1\r\n{''.join(lines)}".encode()
