"""The log of a program that kills itself around an append, so that each run is one append further."""

import os
import signal
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from support.faulty import FaultyLog, FaultyWriter
from support.kafka_log import kafka_log

from bookshelf.log.port import Consumed, Log, NewRecord, Writer
from bookshelf.log.sqlite.log import SqliteLog


class CrashingWriter(FaultyWriter):
    """The writer of the process or the connector, which kills the program around an append."""

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
    """A log whose processes and connectors with these names are killed at a point."""

    def __init__(self, log: Log, point: str, senders: Collection[str]) -> None:
        super().__init__(log)
        self._senders = senders
        self.point = point
        self.steps = 0

    async def writer(self, name: str, topic: str, partition: int) -> FaultyWriter:
        if name not in self._senders:
            return await super().writer(name, topic, partition)
        return CrashingWriter(self, await self.plain.writer(name, topic, partition))


@asynccontextmanager
async def open_log(folder: Path, topics: Collection[str], broker: str = "") -> AsyncIterator[Log]:
    """Open the log of a folder; on a broker, these topics, which have the folder's name before theirs."""
    if broker:
        async with kafka_log(broker, *topics, prefix=f"{folder.name}.", partitions=1) as there:
            yield there
    else:
        opened = await SqliteLog.open(folder / "log.sqlite", 1)
        try:
            yield opened
        finally:
            await opened.close()
