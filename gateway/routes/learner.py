"""Asks each edition once what it serves; one that does not say is asked again, later and later."""

import asyncio
from collections.abc import Callable
from itertools import count

import structlog

from bookshelf.runtime.http.message import BrokenBody
from bookshelf.runtime.http.transport import NoAnswer, Transport, Unreachable
from gateway.routes.document import BadDocument
from gateway.routes.fetch import fetch
from gateway.routes.known import Edition, Known
from gateway.routes.ready import Ready

#: Seconds before the first new try, doubled each time up to the last.
_FIRST_S = 0.05
_LAST_S = 5.0
#: Tries after which a service is no longer waited for, though it is still asked: it must not make of every
#: path that no one serves one that may come. About ten seconds.
_HOPELESS = 8
#: Services that are asked at one time.
_AT_ONCE = 16
_logger = structlog.get_logger(__name__)


class Learner:
    """Keeps a task for each edition that is not known yet."""

    def __init__(self, transport: Transport, known: Known, ready: Ready, note: Callable[[], None]) -> None:
        self._transport = transport
        self._known = known
        self._ready = ready
        self._note = note
        self._asked: set[Edition] = set()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self.hopeless: set[Edition] = set()

    def learn(self, tasks: asyncio.TaskGroup) -> None:
        """Ask whoever is ready and not known."""
        self.hopeless &= self._ready.editions()
        for edition in self._ready.editions() - self._known.editions - self._asked:
            self._asked.add(edition)
            tasks.create_task(self._learn(edition))

    async def _learn(self, edition: Edition) -> None:
        wait_s = _FIRST_S
        try:
            for attempt in count():
                if await self._once(edition, attempt):
                    return
                if attempt + 1 == _HOPELESS:
                    self.hopeless.add(edition)
                    self._note()
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LAST_S)
        finally:
            self._asked.discard(edition)
            self._note()

    async def _once(self, edition: Edition, attempt: int) -> bool:
        """Return whether it is known now, or gone: then it is met again when it comes back."""
        instances = self._ready.of(edition)
        if not instances:
            return True
        try:
            async with self._places:
                document = await fetch(self._transport, instances[attempt % len(instances)])
        except (BadDocument, Unreachable, NoAnswer, BrokenBody, TimeoutError) as fault:
            said = {"service": edition[0], "version": edition[1], "why": str(fault)[:500]}
            _logger.log(30 if attempt in {0, _HOPELESS} else 10, "routes not known", **said)
            return False
        self._known.learn(edition, document)
        self.hopeless.discard(edition)
        _logger.info("routes known", service=edition[0], version=edition[1])
        return True
