"""Keeps a task running: logs each fault, shows it in the health, and starts the work again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import structlog

from bookshelf.log.port import LogFault
from bookshelf.storage.port import StorageFault

#: Seconds before the first restart, doubled with every further fault in a row up to the last.
FIRST_S = 0.05
LAST_S = 5.0
_logger = structlog.get_logger(__name__)


class Supervisor:
    """Restarts work after each fault, with growing pauses. `fault` is the present fault, or None."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.fault: str | None = None
        self._wait_s = FIRST_S

    def note_progress(self) -> None:
        """Clear the fault, because the work makes progress again."""
        self.fault = None
        self._wait_s = FIRST_S

    async def keep(
        self, work: Callable[[], Awaitable[None]], again: Callable[[], None] | None = None
    ) -> None:
        """Run `work` until it returns; call `again` before each restart. Cancellation is passed on."""
        while True:
            try:
                await work()
            except Exception as fault:
                self.fault = f"{self.what}: {fault}"
                # a fault of the log or the storage needs no traceback; any other may be a defect
                known = isinstance(fault, LogFault | StorageFault)
                fields = {"what": self.what, "in_s": self._wait_s, "why": str(fault)}
                _logger.log(logging.ERROR, "restarting", **fields, exc_info=not known)
            else:
                self.note_progress()
                return
            await asyncio.sleep(self._wait_s)
            self._wait_s = min(2 * self._wait_s, LAST_S)
            if again is not None:
                again()
