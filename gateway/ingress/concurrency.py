"""How many requests are worked on at once, and how many may wait for that; more are sent away at once."""

import asyncio
from collections import deque

from bookshelf.http.problem import Problem


class ConcurrencyLimiter:
    """Places for requests under way. Whoever waits is let in in turn, or told to come again."""

    def __init__(self, most: int, queue: int, wait_s: float) -> None:
        self.most = most
        self.queue = queue
        self.wait_s = wait_s
        self.under_way = 0
        self.shed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    async def enter(self) -> None:
        """Take a place. Raises `Problem` if none comes free in time, or too many wait already."""
        if self.under_way < self.most:
            self.under_way += 1
            return
        if len(self._waiting) >= self.queue:
            raise self._full()
        await self._turn()

    def leave(self) -> None:
        """Give the place to who has waited longest."""
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
                self.leave()  # the place had come, too late
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
            if isinstance(fault, TimeoutError):
                raise self._full() from None
            raise

    def _full(self) -> Problem:
        self.shed += 1
        return Problem("unavailable", "more requests are under way than can be answered in time")
