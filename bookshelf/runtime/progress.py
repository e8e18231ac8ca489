"""Long work that says how far it is: a stream of JSON lines, the last of which says how it ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import structlog

_logger = structlog.get_logger(__name__)


class Step(msgspec.Struct, frozen=True):
    """How far the work is: `done` of `total`, and whether that was all; `fault` if it could not be ended."""

    done: int
    total: int
    ended: bool = False
    fault: str | None = None


class Progress:
    """Runs work that reports (done, total); only the newest report waits to be read."""

    def __init__(self, work: Callable[[Callable[[int, int], None]], Awaitable[None]]) -> None:
        self._work = work
        self._newest = Step(0, 0)
        self._news = asyncio.Event()

    def _report(self, done: int, total: int) -> None:
        self._newest = Step(done, total)
        self._news.set()

    async def _run(self) -> None:
        fault = None
        try:
            await self._work(self._report)
        except Exception as raised:
            _logger.exception("long-work-failed")
            fault = str(raised)
        self._newest = Step(self._newest.done, self._newest.total, ended=True, fault=fault)
        self._news.set()

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield a line for each piece of news. The work goes on when no one reads any more."""
        task = asyncio.create_task(self._run())
        while True:
            await self._news.wait()
            self._news.clear()
            step = self._newest
            yield msgspec.json.encode(step) + b"\n"
            if step.ended:
                await task
                return
