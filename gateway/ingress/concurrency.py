"""The concurrency limiter: bounds the requests under way and those that wait, and refuses the rest."""

import asyncio
from collections import deque

from bookshelf.http.problem import Problem


class ConcurrencyLimiter:
    """Admits up to `most` requests; up to `queue` more wait in order, each for at most `wait_s` seconds.

    `shed` counts the requests that were refused.
    """

    def __init__(self, most: int, queue: int, wait_s: float) -> None:
        self.most = most
        self.queue = queue
        self.wait_s = wait_s
        self.under_way = 0
        self.shed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return len(self._waiting)

    async def enter(self) -> None:
        """Wait for admission. Raises `Problem` if it takes too long, or if too many requests wait already."""
        if self.under_way < self.most:
            self.under_way += 1
            return
        if len(self._waiting) >= self.queue:
            raise self._full()
        await self._turn()

    def leave(self) -> None:
        """End a request, and admit the one that has waited longest."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        self.under_way -= 1

    async def _turn(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self.wait_s):
                await waiting
        except BaseException as fault:
            if waiting.done() and not waiting.cancelled():
                self.leave()  # admitted just as the wait ended
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
            if isinstance(fault, TimeoutError):
                raise self._full() from None
            raise

    def _full(self) -> Problem:
        self.shed += 1
        return Problem("unavailable", "more requests are under way than can be answered in time")
