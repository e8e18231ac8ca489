"""A request's body as it arrives: a bounded buffer between the socket and the handler."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import BrokenBody, TooLarge, gather

#: How many may wait, above which no more is taken from the socket.
_FULL_BYTES = 64 << 10


class ByteBuffer:
    """They are kept in pieces, and read in one. `flow` is called when there may be room for more again."""

    __slots__ = ("_flow", "_pieces", "_waiting")

    def __init__(self, flow: Callable[[], None]) -> None:
        self._flow = flow
        self._pieces: deque[bytes] = deque()
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Whether no more should come just now."""
        return self._waiting > _FULL_BYTES

    def keep(self, piece: bytes) -> None:
        """Take a piece in."""
        self._pieces.append(piece)
        self._waiting += len(piece)

    def taken(self) -> bytes:
        """Return what has come and was not read."""
        content = b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        self._flow()
        return content


class RequestBody(ByteBuffer):
    """What the connection feeds and the handler reads. Compressed bytes are left as they are.

    `invite` is called when a client that waits to be told that its body is wanted is to be told so.
    """

    __slots__ = (
        *("_deaf", "_ended", "_fault", "_guard", "_invite", "_read", "_size", "_waited_s", "_waiter"),
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
        self._ended = self._deaf = False
        #: Bytes of it that may come; 0 for any number.
        self.most = 0

    @property
    def uninvited(self) -> bool:
        """Whether the client still waits to be told that this is wanted."""
        return self._invite is not None and not self._ended

    @property
    def whole(self) -> bool:
        """Whether all of it has come."""
        return self._ended

    def feed(self, piece: bytes) -> None:
        """Take a piece in."""
        self._size += len(piece)
        if not self._deaf:
            self.keep(piece)
            self._wake()

    def finish(self) -> None:
        """Note that this was all."""
        self._ended = True
        self._wake()

    def break_off(self) -> None:
        """Note that no more comes, although there should."""
        if not self._ended:
            self._fault = self._fault or BrokenBody("the body did not come to its end")
            self._wake()

    async def rest(self, within_s: float) -> bool:
        """Let what still comes go by; return whether its end came in time."""
        self._deaf = True
        self.taken()
        try:
            async with asyncio.timeout(within_s):
                while not self._ended and self._fault is None:
                    await self._more()
        except TimeoutError:
            pass
        return self._ended

    async def read(self, limit: int) -> bytes:
        """Return all of it."""
        return await gather(self.stream(), limit)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield it piece by piece. Raises `BrokenBody`, and `TooLarge` once more has come than may."""
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
