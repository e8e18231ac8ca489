"""`python -m support.stall_program FOLDER POINT`: the stall on a log, until its orders have ended.

It kills itself -9 `before` the second append of its process, or `after` the first; with `never` it runs on.
Each run is then at most one append further than the one before, so that every append is hit.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from support.faulty import FaultyLog, FaultyWriter
from support.stall import SELLING
from support.stall_run import Stall, append, come_to_rest, placed, supplied

from bookshelf.log.port import Consumed, NewRecord, Writer
from bookshelf.log.sqlite.log import SqliteLog

ORDERS = ("o1", "o2")


class CrashingWriter(FaultyWriter):
    """The writer of the process, which kills the program around an append of commands."""

    def __init__(self, log: "CrashingLog", writer: Writer) -> None:
        super().__init__(log, writer)
        self._crashing = log

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        log = self._crashing
        if log.point == "before" and log.steps == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        offsets = await super().append(records, consumed)
        log.steps += 1
        if log.point == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return offsets


class CrashingLog(FaultyLog):
    """A log whose process is killed at a point."""

    def __init__(self, log: SqliteLog, point: str) -> None:
        super().__init__(log)
        self.point = point
        self.steps = 0

    async def writer(self, name: str, topic: str, partition: int) -> FaultyWriter:
        if name != SELLING.name:
            return await super().writer(name, topic, partition)
        return CrashingWriter(self, await self.plain.writer(name, topic, partition))


async def main(folder: Path, point: str) -> None:
    """Run until all orders have ended, or the point is reached."""
    new = not (folder / "log.sqlite").exists()
    opened = await SqliteLog.open(folder / "log.sqlite", 1)
    log = CrashingLog(opened, point)
    if new:
        await append(log, supplied("tea", 1), supplied("cup", 9))
        await append(log, *(placed(order, tea=1, cup=1) for order in ORDERS))
    async with Stall(log):
        await come_to_rest(log, len(ORDERS))
    await opened.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
