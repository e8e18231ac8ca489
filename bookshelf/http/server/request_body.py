"""Buffers a request's body between the socket and the handler, within a limit."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import BrokenBody, TooLarge, gather

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
