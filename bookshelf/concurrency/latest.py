"""A value that is replaced from time to time, and asynchronous iteration over its changes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Keeps one value and wakes its readers when it changes.

    A slow reader skips to the newest value; a reader that starts before the first value waits for it.
    """

    def __init__(self) -> None:
        self._now: T | None = None
        self._moved = asyncio.Event()

    @property
    def now(self) -> T | None:
        """The value; None before the first `put`."""
        return self._now

    def put(self, value: T) -> None:
        """Replace the value; an equal value wakes no reader."""
        if value == self._now:
            return
        self._now = value
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def each(self) -> AsyncIterator[T]:
        """Yield the value, then each newer one, without end."""
        seen: T | None = None
        while True:
            moved = self._moved
            if self._now is not None and self._now is not seen:
                seen = self._now
                yield seen
            if self._moved is moved:
                await moved.wait()
