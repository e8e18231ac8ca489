"""`python -m support.stall_program FOLDER POINT [BROKER]`: the stall on a log, until its orders have ended.

The log is a file in the folder, or on a broker. The connector charges a card for each approved order; its
provider is a file for each key. The program kills itself -9 `before` the second append of its process or its
connector, or `after` the first; with `never` it runs on. Each run is then at most one append further than the
one before, so that every append is hit.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from support.charging import CHARGING, CHARGING_TOPICS, PORTS, paid
from support.faulty import FaultyLog, FaultyWriter
from support.fixed_infrastructure import CountedIds
from support.kafka_log import kafka_log
from support.stall import ORDER, SELLING, NotePayment, OrderApproved
from support.stall_run import Stall, append, come_to_rest, placed, supplied

from bookshelf.cqrs.process import Send
from bookshelf.cqrs.view import Recorded
from bookshelf.log.port import Consumed, Log, NewRecord, Writer
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.process.connector import ConnectorHost

ORDERS = ("o1", "o2")


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
async def open_log(folder: Path, broker: str = "") -> AsyncIterator[Log]:
    """Open the log of a folder, whose name the topics on a broker have."""
    if broker:
        async with kafka_log(broker, *CHARGING_TOPICS, prefix=f"{folder.name}.", partitions=1) as there:
            yield there
    else:
        opened = await SqliteLog.open(folder / "log.sqlite", 1)
        try:
            yield opened
        finally:
            await opened.close()


async def main(folder: Path, point: str, broker: str = "") -> None:
    """Run until all orders have ended and those approved are paid, or the point is reached."""

    async def charge(_event: OrderApproved, recorded: Recorded, key: str, _ports: object) -> Iterable[Send]:
        (folder / f"charge-{key}").touch()
        return [Send(ORDER, recorded.subject, NotePayment(receipt=key))]

    async with open_log(folder, broker) as opened:
        log = CrashingLog(opened, point, {SELLING.name, CHARGING.name})
        if not (folder / "begun").exists():
            await append(log, supplied("tea", 1), supplied("cup", 9))
            await append(log, *(placed(order, tea=1, cup=1) for order in ORDERS))
            (folder / "begun").touch()
        async with Stall(log) as stall:
            meters = stall.meters.process(CHARGING.name)
            connector = replace(CHARGING, calls={OrderApproved: charge})
            host = ConnectorHost(connector, log, stall.clock, CountedIds(), meters, PORTS)
            await host.start()
            found = await come_to_rest(log, len(ORDERS))
            await paid(log, *(name for name, end in found.ends.items() if end == "approved"))
            await host.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
