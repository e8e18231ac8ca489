"""The newest of something, and those who wait for a newer one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Keeps one value. A slow reader skips to the newest; one that came early waits for the first."""

    def __init__(self) -> None:
        self._now: T | None = None
        self._moved = asyncio.Event()

    @property
    def now(self) -> T | None:
        """The value, once there is one."""
        return self._now

    def put(self, value: T) -> None:
        """Replace the value; nobody is woken for an equal one."""
        if value == self._now:
            return
        self._now = value
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def each(self) -> AsyncIterator[T]:
        """Yield the value, then each newer one, for ever."""
        seen: T | None = None
        while True:
            moved = self._moved
            if self._now is not None and self._now is not seen:
                seen = self._now
                yield seen
            if self._moved is moved:
                await moved.wait()
