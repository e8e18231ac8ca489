"""Bytes that have come and were not read yet."""

from collections import deque
from collections.abc import Callable

#: How many may wait, above which no more is taken from the socket.
_MUCH = 64 << 10


class Waiting:
    """They are kept in pieces, and read in one. `flow` is called when there may be room for more again."""

    __slots__ = ("_flow", "_pieces", "_waiting")

    def __init__(self, flow: Callable[[], None]) -> None:
        self._flow = flow
        self._pieces: deque[bytes] = deque()
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Whether no more should come just now."""
        return self._waiting > _MUCH

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
