"""Parses requests with llhttp and refuses those that another parser could read differently.

A request's body is buffered between the socket and the handler, within a limit.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser
from multidict import CIMultiDict

from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Body, BrokenBody, BytesBody, Request, TooLarge, gather
from bookshelf.http.problem import Problem

#: Buffered bytes above which the connection stops reading from its socket.
_FULL_BYTES = 64 << 10


class ByteBuffer:
    """A buffer that keeps pieces and returns them joined. `flow` is called after the buffer was emptied."""

    __slots__ = ("_flow", "_pieces", "_waiting")

    def __init__(self, flow: Callable[[], None]) -> None:
        self._flow = flow
        self._pieces: deque[bytes] = deque()
        self._waiting = 0

    @property
    def full(self) -> bool:
        """True if the connection should stop reading for now."""
        return self._waiting > _FULL_BYTES

    def keep(self, piece: bytes) -> None:
        """Add a piece."""
        self._pieces.append(piece)
        self._waiting += len(piece)

    def taken(self) -> bytes:
        """Return the buffered bytes and empty the buffer."""
        content = b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        self._flow()
        return content


class RequestBody(ByteBuffer):
    """A request's body: the connection feeds it and the handler reads it. It decompresses nothing.

    `invite` sends `100 Continue`; it is called before the first read if the client waits for that.
    """

    __slots__ = (
        *("_discards", "_ended", "_fault", "_guard", "_invite", "_read", "_size", "_waited_s", "_waiter"),
        "most",
    )

    def __init__(
        self, guard: ConnectionLimits, flow: Callable[[], None], invite: Callable[[], None] | None = None
    ) -> None:
        super().__init__(flow)
        self._guard = guard
        self._invite = invite
        self._size = self._read = 0
        self._waited_s = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._fault: BrokenBody | None = None
        self._ended = self._discards = False
        #: The most bytes of the body; 0 for no limit.
        self.most = 0

    @property
    def uninvited(self) -> bool:
        """True if the client still waits for `100 Continue`."""
        return self._invite is not None and not self._ended

    @property
    def whole(self) -> bool:
        """True if the whole body has arrived."""
        return self._ended

    def feed(self, piece: bytes) -> None:
        """Add an arrived piece, unless the rest is being discarded."""
        self._size += len(piece)
        if not self._discards:
            self.keep(piece)
            self._wake()

    def finish(self) -> None:
        """Note the end of the body."""
        self._ended = True
        self._wake()

    def break_off(self) -> None:
        """Note that the connection ended before the body did."""
        if not self._ended:
            self._fault = self._fault or BrokenBody("the body did not come to its end")
            self._wake()

    async def rest(self, within_s: float) -> bool:
        """Discard the rest of the body; return True if its end arrived within `within_s`."""
        self._discards = True
        self.taken()
        try:
            async with asyncio.timeout(within_s):
                while not self._ended and self._fault is None:
                    await self._more()
        except TimeoutError:
            pass
        return self._ended

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises `TooLarge`, `BrokenBody`."""
        return await gather(self.stream(), limit)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece. Raises `BrokenBody`, and `TooLarge` beyond `most` bytes."""
        while self._pieces or not self._ended:
            if not self._pieces:
                await self._await_piece()
                continue
            piece = self.taken()
            self._read += len(piece)
            if self.most and self._read > self.most:
                raise TooLarge(self.most)
            yield piece

    async def _await_piece(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._invite is not None:
            self._invite()
            self._invite = None
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._guard.body_idle_s):
                await self._more()
        except TimeoutError:
            msg = f"nothing more of the body came for {self._guard.body_idle_s:g} s"
            raise BrokenBody(msg) from None
        self._waited_s += loop.time() - began
        if not self._ended and self._size < self._guard.body_rate * (self._waited_s - self._guard.grace_s):
            raise BrokenBody("the body comes too slowly")

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class UpgradedStream(ByteBuffer):
    """Bytes after an Upgrade request: for the service if it answers 101, otherwise parsed as HTTP again."""

    def __init__(self, flow: Callable[[], None]) -> None:
        super().__init__(flow)
        self._some = asyncio.Event()
        self._ended = False

    async def read(self, limit: int) -> bytes:  # noqa: ARG002 (nothing is never too much)
        """Return no bytes: before the upgrade is accepted, the request is a GET without a body."""
        return b""

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the client's bytes until it disconnects."""
        while True:
            while self._pieces:
                yield self.taken()
            if self._ended:
                return
            self._some.clear()
            await self._some.wait()

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self.keep(data)
        self._some.set()

    def break_off(self) -> None:
        """Note that the client has disconnected."""
        self._ended = True
        self._some.set()


_MALFORMED = "the request is not HTTP/1.1, or has more headers than are taken"


class RequestParser:
    """Collects requests in `arrived`, in order; the body of the last one may still be arriving.

    `heading`: True while a request's head is being read. `flow` and `invite`: see `RequestBody`.
    """

    __slots__ = (
        *("_body", "_fields", "_flow", "_guard", "_invite", "_parser", "_size", "_target", "_tunnel"),
        *("arrived", "heading", "over"),
    )

    def __init__(self, guard: ConnectionLimits, flow: Callable[[], None], invite: Callable[[], None]) -> None:
        self._guard = guard
        self._flow = flow
        self._invite = invite
        self._parser = HttpRequestParser(self)
        self._body: RequestBody | None = None
        self._tunnel: UpgradedStream | None = None
        self._fields: list[tuple[str, str]] = []
        self._target = b""
        self._size = 0
        self.arrived: deque[IncomingRequest] = deque()
        self.heading = False
        #: True if nothing more is read: the client has disconnected, or a request was refused.
        self.over = False

    @property
    def full(self) -> bool:
        """True if the connection should stop reading for now."""
        if self.arrived:
            return True
        body = self._body or self._tunnel
        return body is not None and body.full

    def feed(self, data: bytes) -> None:
        """Parse received bytes. An invalid request is added to `arrived` too, as a refusal."""
        if self._tunnel is not None:
            self._tunnel.feed(data)
        elif not self.over:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                self._switch(data[upgrade.args[0] :])
            except HttpParserCallbackError as fault:
                self._refuse(fault.__context__)
            except HttpParserError:
                self._refuse(None)
            else:
                self._size += len(data)
                if self.heading and self._size > self._guard.head:
                    self._refuse(_too_large())

    def _switch(self, rest: bytes) -> None:
        """Continue after a request for an upgrade; without a tunnel the bytes after it are parsed as HTTP."""
        self._parser = HttpRequestParser(self)
        if self.arrived and isinstance(self.arrived[-1].body, UpgradedStream):
            self._tunnel = self.arrived[-1].body
        if rest:
            self.feed(rest)

    def decline(self, tunnel: UpgradedStream) -> None:
        """Parse the bytes after a request for an upgrade as HTTP, because the handler has declined it."""
        if tunnel is self._tunnel:
            self._tunnel = None
            self.feed(tunnel.taken())

    def break_off(self) -> None:
        """Note that the client has disconnected."""
        self.over = True
        body = self._body or self._tunnel
        if body is not None:
            body.break_off()

    def _refuse(self, fault: BaseException | None) -> None:
        if self.over:
            return
        self.over, self.heading = True, False
        problem = fault if isinstance(fault, Problem) else Problem("malformed", _MALFORMED)
        refusal = IncomingRequest("", "", 1, CIMultiDict(), kept=False, refusal=problem)
        if self._body is None:
            self.arrived.append(refusal)
        elif self.arrived:  # its handling has not begun
            self.arrived[-1] = refusal
        else:
            self._body.break_off()

    def on_message_begin(self) -> None:
        """Start a request's head."""
        self._fields = []
        self._target = b""
        self._size = 0
        self.heading = True

    def on_url(self, part: bytes) -> None:
        """Add a part of the target. Raises `Problem`."""
        self._target += part
        if len(self._target) > self._guard.line:
            raise _too_large()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header. Trailers, which follow a chunked body, are ignored. Raises `Problem`."""
        if not self.heading:
            return
        if len(name) > self._guard.field or len(value) > self._guard.field:
            raise _too_large()
        self._fields.append((name.decode("ascii"), value.decode("utf-8", "surrogateescape")))
        if len(self._fields) > self._guard.fields:
            raise Problem("malformed", _MALFORMED)

    def on_headers_complete(self) -> None:
        """Check the head and add its request to `arrived`. Raises `Problem`."""
        self.heading = False
        parser = self._parser
        headers = CIMultiDict(self._fields)
        method, version = parser.get_method().decode("ascii"), parser.get_http_version()
        wrong = find_ambiguity(method, version, headers)
        if wrong is not None:
            raise Problem("malformed", wrong)
        kept = parser.should_keep_alive()
        target, minor = self._target.decode("ascii"), int(version == "1.1")
        incoming = IncomingRequest(method, target, minor, headers, kept)
        if "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0":
            waits = headers.get("Expect", "").lower() == "100-continue"
            incoming.body = self._body = RequestBody(self._guard, self._flow, self._invite if waits else None)
        elif (
            parser.should_upgrade() and headers.get("Upgrade", "").lower() == "websocket" and method == "GET"
        ):
            incoming.body = UpgradedStream(self._flow)
        self.arrived.append(incoming)

    def on_body(self, piece: bytes) -> None:
        """Add a piece to the body."""
        if self._body is not None:
            self._body.feed(piece)

    def on_message_complete(self) -> None:
        """Note the end of the request."""
        if self._body is not None:
            self._body.finish()
            self._body = None


def _too_large() -> Problem:
    return Problem("head-too-large", "the target or a header is longer than is taken")


#: The characters of RFC 3986's host and port.
_HOST_FORM = re.compile(r"[A-Za-z0-9._\-\[\]:%]{0,260}")
_VERSIONS = frozenset({"1.1", "1.0"})


def find_ambiguity(method: str, version: str, headers: CIMultiDict[str]) -> str | None:
    """Return why a request's head is ambiguous or invalid; None if it is not (RFC 9112, 3.2 and 6.1)."""
    if version not in _VERSIONS:
        return "HTTP/1.1 is spoken here"
    if method == "CONNECT":
        return "CONNECT is for proxies that lead anywhere (RFC 9110, 9.3.6)"
    hosts = headers.getall("Host", ())
    if len(hosts) != 1:
        if hosts or version == "1.1":
            return "a request has one Host"
    elif _HOST_FORM.fullmatch(hosts[0]) is None:
        return "Host is a name or an address, and perhaps a port"
    coding = headers.get("Transfer-Encoding")
    if coding is None or (version == "1.1" and coding.lower() == "chunked"):
        return None
    takes = "the one Transfer-Encoding that is taken is chunked"
    return "HTTP/1.0 has no Transfer-Encoding" if version == "1.0" else takes


_EMPTY = BytesBody()


@dataclass(slots=True, eq=False)
class IncomingRequest:
    """A parsed request head and its body, which may still be arriving, or the refusal of an invalid request.

    `body`: None if there is none. `minor`: the minor version of HTTP/1. `kept`: True if the client keeps the
    connection open for another request. After a refusal the connection closes.
    """

    method: str
    target: str
    minor: int
    headers: CIMultiDict[str]
    kept: bool
    body: RequestBody | UpgradedStream | None = None
    refusal: Problem | None = None

    def request(self, peer: str, *, secure: bool) -> Request:
        """Return the request for a handler; a body that has arrived completely is a `BytesBody`."""
        body: Body = _EMPTY if self.body is None else self.body
        if isinstance(body, RequestBody) and body.whole:
            body = BytesBody(body.taken())
        return Request(self.method, self.target, self.headers, body, peer, secure)

    @property
    def uninvited(self) -> bool:
        """True if the client still waits for `100 Continue`."""
        return isinstance(self.body, RequestBody) and self.body.uninvited
