"""`python -m support.killed_member FILE run SERVICE ...`: the program, which dies where a file has it.

FILE has the words ACTION POINT SIGNAL TEXT. ACTION: `append` or `read` of a record of the topic `cluster`
that contains TEXT; POINT: `before` or `after` it; SIGNAL: the signal that the process then sends to itself.
The file is removed first, so each file has one effect, in one of the processes that look at it.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bookshelf.cli.main import main
from bookshelf.log.kafka.log import KafkaLog, KafkaTail
from bookshelf.log.port import Consumed, NewRecord, Record, Writer

TOPIC = "cluster"


class Orders:
    """Reads the file, and sends the signal."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def reached(self, action: str, point: str, values: Sequence[bytes]) -> bool:
        """Return True if the process is to be ended at one of these records, at this point."""
        try:
            *where, _, text = self._path.read_text(encoding="utf-8").split(maxsplit=3)
        except (OSError, ValueError):
            return False
        return where == [action, point] and any(text.encode() in value for value in values)

    def carry_out(self) -> None:
        """Send the signal to this process, unless another one has been first."""
        try:
            number = int(self._path.read_text(encoding="utf-8").split()[2])
            self._path.unlink()
        except OSError:
            return
        os.kill(os.getpid(), number)


class ObedientWriter:
    """A writer that looks at the orders before and after each append."""

    def __init__(self, writer: Writer, orders: Orders) -> None:
        self._writer = writer
        self._orders = orders

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        values = [record.value for record in records]
        if self._orders.reached("append", "before", values):
            self._orders.carry_out()
        offsets = await self._writer.append(records, consumed)
        if self._orders.reached("append", "after", values):
            self._orders.carry_out()
        return offsets

    async def close(self) -> None:
        await self._writer.close()


def obey(orders: Orders) -> None:
    """Have writers and tails look at the orders."""
    open_writer, take = KafkaLog.writer, KafkaTail.take
    read: dict[int, list[bytes]] = {}

    async def writer(log: KafkaLog, name: str, topic: str, partition: int) -> Writer:
        opened = await open_writer(log, name, topic, partition)
        return ObedientWriter(opened, orders) if topic == TOPIC else opened

    async def taken(self: KafkaTail, most: int) -> Sequence[Record]:
        if orders.reached("read", "after", read.pop(id(self), [])):
            orders.carry_out()
        records = await take(self, most)
        values = [record.value for record in records if record.topic == TOPIC]
        if orders.reached("read", "before", values):
            orders.carry_out()
        read[id(self)] = values
        return records

    KafkaLog.writer = writer  # type: ignore[method-assign, assignment]
    KafkaTail.take = taken  # type: ignore[method-assign]


if __name__ == "__main__":
    obey(Orders(Path(sys.argv.pop(1))))
    main()
