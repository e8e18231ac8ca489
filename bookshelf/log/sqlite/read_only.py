"""Read-only access to the embedded log's file, also while another process writes it."""

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from bookshelf.log.port import LogFault, OutOfRange, Record
from bookshelf.log.sqlite.database import ends, read

#: Seconds between two reads of a partition that has no new records.
_LOOK_S = 0.1


class ReadOnlySqliteLog:
    """The log in `path`. Each read is a short transaction, so the writer never waits for it."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises `LogFault` if it is missing or cannot be read."""
        if not path.is_file():
            msg = f"there is no log at {path}; name a shelf's folder with --data, or a broker with --broker"
            raise LogFault(msg)
        self._path = path
        try:
            # read-only, so that closing it does not run a checkpoint on the writer's file
            self.database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)
            self._partitions = int(self._about("partitions"))
        except (sqlite3.Error, TypeError, ValueError) as fault:
            msg = (
                f"{path} cannot be read ({fault}); see whether it is a log, and whether this user may read it"
            )
            raise LogFault(msg) from fault

    def _about(self, name: str) -> str:
        (value,) = self.database.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return str(value)

    def partitions(self, topic: str) -> int:  # noqa: ARG002 (the port's signature)
        """Return the number of partitions that the file was created with."""
        return self._partitions

    def ends(self) -> dict[tuple[str, int], int]:
        """Return the offset after the last record of every topic and partition that has one."""
        try:
            return ends(self.database)
        except sqlite3.Error as fault:
            msg = f"{self._path} cannot be read: {fault}"
            raise LogFault(msg) from fault

    async def start(self, topic: str, partition: int) -> int:  # noqa: ARG002 (the port's signature)
        """Return 0: the embedded log keeps every record."""
        return 0

    async def end(self, topic: str, partition: int) -> int:
        """Return the offset after the last durable record."""
        return self.ends().get((topic, partition), 0)

    async def since(self, topic: str, partition: int, moment: datetime) -> int:  # noqa: ARG002 (as above)
        """Return 0: the embedded log keeps no times of records."""
        return 0

    async def tail(self, topic: str, partition: int, offset: int) -> "ReadOnlySqliteTail":
        """Read from `offset`."""
        end = await self.end(topic, partition)
        if not 0 <= offset <= end or partition >= self._partitions:
            msg = f"{topic}/{partition} has 0 to {end}, so nothing can be read from {offset}"
            raise OutOfRange(msg)
        return ReadOnlySqliteTail(self.database, topic, partition, offset)

    async def close(self) -> None:
        """Close the file."""
        self.database.close()


class ReadOnlySqliteTail:
    """A reader of one partition."""

    def __init__(self, database: sqlite3.Connection, topic: str, partition: int, offset: int) -> None:
        self._database = database
        self._place = (topic, partition)
        self.position = offset

    async def take(self, most: int) -> Sequence[Record]:
        """Return 1 to `most` records, waiting for the first."""
        while not (records := read(self._database, *self._place, self.position, most)):  # noqa: ASYNC110 (another process writes)
            await asyncio.sleep(_LOOK_S)
        self.position = records[-1].offset + 1
        return records

    async def close(self) -> None:
        """Do nothing: the tail has no resources of its own."""
