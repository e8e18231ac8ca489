"""Whether a node reads the log of its domain: it has contact if it has read all that the log has now."""

import asyncio

from bookshelf.log.deduplicated import DeduplicatingTail, open_deduplicated
from bookshelf.log.port import Log, LogFault

#: Seconds for one look at the log.
_LOOK_S = 2.0


class LogContact:
    """How far a node has read its partition of a topic, and if that was all at the last look.

    A node whose questions are answered while its reader is not is as far from a decision as one without any
    answer: contact is what it has read.
    """

    def __init__(self, log: Log, topic: str) -> None:
        #: The partition that the node reads.
        self.partition = 0
        #: The offset that the node reads next.
        self.position = 0
        #: The mark of the last record before the position: the log may be set back to a copy.
        self._mark = ""
        #: The last look found that the node had read everything.
        self.is_there = True
        self._log = log
        self._topic = topic
        self._moved = asyncio.Event()

    async def open_tail(self) -> DeduplicatingTail:
        """Read on from the position. Raises `OutOfRange` if the log was set back, `LogFault`."""
        return await open_deduplicated(self._log, self._topic, self.partition, self.position, self._mark)

    def move(self, position: int, mark: str) -> None:
        """Note the offset that the node reads next, and the mark of the last record before it."""
        self.position, self._mark = position, mark
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def look(self) -> bool:
        """Return True if the node reads up to the present end of the log within 2 s."""
        try:
            async with asyncio.timeout(_LOOK_S):
                end = await self._log.end(self._topic, self.partition)
                while self.position < end:
                    await self._moved.wait()
        except (LogFault, TimeoutError):
            return False
        return True
