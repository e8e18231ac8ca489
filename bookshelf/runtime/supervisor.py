"""Keeps work going that must not end: a fault is logged, shown, and followed by another try."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import structlog

from bookshelf.log.port import LogFault
from bookshelf.storage.port import StorageFault

#: Seconds before the first new try, doubled with every fault in a row, up to the last.
FIRST_S = 0.05
LAST_S = 5.0
_logger = structlog.get_logger(__name__)


class Supervisor:
    """Runs work again after each fault, later and later. `fault` is what goes wrong, if something does."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.fault: str | None = None
        self._wait_s = FIRST_S

    def well(self) -> None:
        """Say that the work goes well again."""
        self.fault = None
        self._wait_s = FIRST_S

    async def keep(
        self, work: Callable[[], Awaitable[None]], again: Callable[[], None] | None = None
    ) -> None:
        """Return when `work` returns; call `again` before each new try. Cancellation is passed on."""
        while True:
            try:
                await work()
            except Exception as fault:
                self.fault = f"{self.what}: {fault}"
                # what a disk or a broker does is known by its name; anything else wants its traceback
                known = isinstance(fault, LogFault | StorageFault)
                said = {"what": self.what, "in_s": self._wait_s, "why": str(fault)}
                _logger.log(logging.ERROR, "restarting", **said, exc_info=not known)
            else:
                self.well()
                return
            await asyncio.sleep(self._wait_s)
            self._wait_s = min(2 * self._wait_s, LAST_S)
            if again is not None:
                again()
