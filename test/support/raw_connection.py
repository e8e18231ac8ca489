"""Bytes as they are, to a port: for what no client library would send."""

import contextlib
import socket
from http.client import HTTPResponse
from io import BytesIO
from typing import Self, cast

from support.client import ANSWER_S, Client, Reply


class _Answer(BytesIO):
    """Bytes that an HTTPResponse reads as it would read a socket."""

    def makefile(self, _mode: str) -> "_Answer":
        return self


class Conversation:
    """One connection, on which bytes are sent and received in turn."""

    def __init__(self, client: Client) -> None:
        self._place = (client.host, client.port)

    def __enter__(self) -> Self:
        self._there = socket.create_connection(self._place, timeout=ANSWER_S)
        return self

    def hear(self, content: bytes) -> bytes:
        """Send bytes; return the next that come back."""
        self._there.sendall(content)
        return self._there.recv(1 << 16)

    def __exit__(self, *_: object) -> None:
        self._there.close()


def exchange(client: Client, content: bytes, *, end: bool = False, until_closed: bool = False) -> bytes:
    """Send bytes; return what comes back: one whole answer, or all until the other side closes.

    `end` closes the sending side, as a client that was cut off would.
    """
    with socket.create_connection((client.host, client.port), timeout=ANSWER_S) as there:
        _send(there, content, end=end)
        found = b""
        while piece := _received(there):
            found += piece
            if not until_closed and _whole(found):
                break
    return found


def _send(there: socket.socket, content: bytes, *, end: bool) -> None:
    with contextlib.suppress(ConnectionError):  # it may be refused before all is sent
        there.sendall(content)
        if end:
            there.shutdown(socket.SHUT_WR)


def _received(there: socket.socket) -> bytes:
    try:
        return there.recv(1 << 16)
    except ConnectionError:
        return b""


def _whole(content: bytes) -> bool:
    """Whether an answer with a Content-Length is all there."""
    head, blank, body = content.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(blank) and len(body) >= int(line.partition(b":")[2])
    return False


def reply(client: Client, content: bytes, *, end: bool = False) -> Reply:
    """Send bytes; return the one answer."""
    answer = HTTPResponse(cast("socket.socket", _Answer(exchange(client, content, end=end))))
    answer.begin()
    found = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(answer.status, found, answer.read())
