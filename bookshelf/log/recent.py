"""The newest records of a partition, in memory, and those who wait for the next."""

import asyncio
from collections.abc import Sequence

from bookshelf.log.port import Record


class Recent:
    """A window on the end of one partition: tails that keep up never touch the disk.

    `keep` bounds the records held, None for all. Only the event loop's thread comes here.
    """

    def __init__(self, end: int = 0, keep: int | None = None) -> None:
        self._base = end
        self._records: list[Record] = []
        self._keep = keep
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def end(self) -> int:
        """The offset after the newest record."""
        return self._base + len(self._records)

    def publish(self, records: Sequence[Record]) -> None:
        """Append committed records and wake who waits. Offsets are dense."""
        self._records.extend(records)
        if self._keep is not None and len(self._records) > 2 * self._keep:
            gone = len(self._records) - self._keep
            del self._records[:gone]
            self._base += gone
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def read(self, offset: int, most: int) -> Sequence[Record] | None:
        """Return up to `most` records from `offset`; None if they have left the window."""
        if offset < self._base:
            return None
        start = offset - self._base
        return self._records[start : start + most]

    async def wait(self) -> None:
        """Return when more has been published."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter
