"""Parses HTTP responses with httptools and rejects those that are not valid HTTP/1.1 (RFC 9112, 6.3)."""

from collections import deque

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

#: The most bytes of a response's head, and the most headers in it.
_HEAD_MOST = 64 << 10
_HEADERS_MOST = 200
_CONTINUE, _SWITCHING, _OK = 100, 101, 200
_BODILESS = frozenset({204, 304})


class BadResponse(Exception):
    """The received bytes are not a valid response."""


class ResponseParser:
    """One response, filled by the parser's callbacks. `kept`: True if its connection can be used again."""

    __slots__ = (
        *("_asked", "_head_size", "_parser", "_to_the_end", "done", "headers", "kept", "pieces", "ready"),
        *("size", "status", "switched"),
    )

    def __init__(self, *, head_only: bool, upgrades: bool) -> None:
        self._asked = (head_only, upgrades)
        self._parser = HttpResponseParser(self)
        self._head_size = 0
        self._to_the_end = False
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.pieces: deque[bytes] = deque()
        self.size = 0
        self.status = 0
        self.ready = self.done = self.kept = self.switched = False

    def feed(self, data: bytes) -> None:
        """Parse received bytes. Raises `BadResponse`."""
        if self.switched:
            self.on_body(data)
            return
        if not self.ready:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as tunnel:
            self.switched, self.done, self.kept = True, False, False
            if rest := data[tunnel.args[0] :]:
                self.on_body(rest)
        except HttpParserError as fault:
            if not self.done:
                raise BadResponse(str(fault)) from fault
            self.kept = False  # bytes followed the response without a request
        if not self.ready and self._head_size > _HEAD_MOST:
            raise BadResponse(f"the head has more than {_HEAD_MOST} bytes")

    def end(self) -> bool:
        """Note the end of the connection; return True if the response is complete."""
        self.done = self.done or (self.ready and (self._to_the_end or self.switched))
        return self.done

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header. Trailers, which follow a chunked body, are ignored."""
        if self.ready:
            return
        if len(self.headers) >= _HEADERS_MOST:
            raise BadResponse(f"the head has more than {_HEADERS_MOST} headers")
        self.headers.add(name.decode("ascii"), value.decode("utf-8", "surrogateescape"))

    def on_message_begin(self) -> None:
        """Keep the connection from being used again if a second message follows the response."""
        if self.done:
            self.kept = False

    def on_headers_complete(self) -> None:
        """Read the status and the framing. Interim responses (1xx except 101) are skipped."""
        if self.done:
            return
        self.status = self._parser.get_status_code()
        if _CONTINUE <= self.status < _OK and self.status != _SWITCHING:
            self.headers.clear()
            return
        if self.status == _SWITCHING and not self._asked[1]:
            raise BadResponse("the server switches protocols without being asked to")
        self.ready = True
        if self._asked[0] or self.status in _BODILESS:
            self.done, self.kept = True, self._parser.should_keep_alive() or self._asked[0]
            return
        framed = "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        self._to_the_end = not framed
        self.kept = framed and self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body until it is read."""
        if self.done:
            self.kept = False  # this response cannot have a body
        else:
            self.pieces.append(data)
            self.size += len(data)

    def on_message_complete(self) -> None:
        """Note the end of the body."""
        if self.ready:
            self.done = True
