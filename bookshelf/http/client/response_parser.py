"""An answer as httptools' parser gives it. Strict: what is not HTTP/1.1 is no answer (RFC 9112, 6.3)."""

from collections import deque

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

#: Bytes of an answer's head, and headers in it.
_HEAD_MOST = 64 << 10
_HEADERS_MOST = 200
_CONTINUE, _SWITCHING, _OK = 100, 101, 200
_BODILESS = frozenset({204, 304})


class BadResponse(Exception):
    """What came is no answer."""


class ResponseParser:
    """One answer: the parser's listener. `kept`: whether its connection can be used for another."""

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
        """Read on. Raises `BadResponse`."""
        if self.switched:
            self.on_body(data)
            return
        if not self.ready:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as tunnel:
            self._switch(data[tunnel.args[0] :])
        except HttpParserError as fault:
            if not self.done:
                raise BadResponse(str(fault)) from fault
            self.kept = False  # something came behind the answer: no one asked for it
        if not self.ready and self._head_size > _HEAD_MOST:
            raise BadResponse(f"the head has more than {_HEAD_MOST} bytes")

    def end(self) -> bool:
        """Note that nothing more comes; return whether the answer is whole."""
        self.done = self.done or (self.ready and (self._to_the_end or self.switched))
        return self.done

    def _switch(self, rest: bytes) -> None:
        self.switched, self.done, self.kept = True, False, False
        if rest:
            self.on_body(rest)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header in; one that comes behind a chunked body is let be."""
        if self.ready:
            return
        if len(self.headers) >= _HEADERS_MOST:
            raise BadResponse(f"the head has more than {_HEADERS_MOST} headers")
        self.headers.add(name.decode("ascii"), value.decode("utf-8", "surrogateescape"))

    def on_message_begin(self) -> None:
        """See whether another message stands behind the answer."""
        if self.done:
            self.kept = False

    def on_headers_complete(self) -> None:
        """Judge the head. What is below 200 is no answer yet."""
        if self.done:
            return
        self.status = self._parser.get_status_code()
        if _CONTINUE <= self.status < _OK and self.status != _SWITCHING:
            self.headers.clear()
            return
        if self.status == _SWITCHING and not self._asked[1]:
            raise BadResponse("it switches protocols, and was not asked to")
        self.ready = True
        if self._asked[0] or self.status in _BODILESS:
            self.done, self.kept = True, self._parser.should_keep_alive() or self._asked[0]
            return
        framed = "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        self._to_the_end = not framed
        self.kept = framed and self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Keep a piece until it is read."""
        if self.done:
            self.kept = False  # a body that this answer cannot have
        else:
            self.pieces.append(data)
            self.size += len(data)

    def on_message_complete(self) -> None:
        """Note that all is here."""
        if self.ready:
            self.done = True
