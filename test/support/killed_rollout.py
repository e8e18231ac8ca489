"""`python -m support.killed_rollout POINT TEXT up ...`: the program, which dies at an append.

It kills itself -9 before or after (POINT) it appends a record with this text to the topic `cluster`.
"""

import os
import signal
import sys
from collections.abc import Sequence

from bookshelf.cli.main import main
from bookshelf.log.port import Consumed, NewRecord, Writer
from bookshelf.log.sqlite.log import SqliteLog

TOPIC = "cluster"


class KillingWriter:
    """A writer that kills the process around an append with a text."""

    def __init__(self, writer: Writer, point: str, text: bytes) -> None:
        self._writer = writer
        self._point = point
        self._text = text

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        reached = any(self._text in record.value for record in records)
        if reached and self._point == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        offsets = await self._writer.append(records, consumed)
        if reached:
            os.kill(os.getpid(), signal.SIGKILL)
        return offsets

    async def close(self) -> None:
        await self._writer.close()


def kill_around(point: str, text: bytes) -> None:
    """Have writers of the topic die there."""
    open_writer = SqliteLog.writer

    async def writer(log: SqliteLog, name: str, topic: str, partition: int) -> Writer:
        opened = await open_writer(log, name, topic, partition)
        return KillingWriter(opened, point, text) if topic == TOPIC else opened

    SqliteLog.writer = writer  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    kill_around(sys.argv.pop(1), sys.argv.pop(1).encode())
    main()
