"""The embedded log: one SQLite file with one writing process, and an fsync before each acknowledgement."""

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from bookshelf.log.in_process import Group, GroupMembership, RecentRecords, Window
from bookshelf.log.port import Change, Consumed, LogFault, NewRecord, OutOfRange, Record, positions_of
from bookshelf.log.sqlite.committer import Committer, Connect, QueuedAppend
from bookshelf.log.sqlite.database import connect, connect_reader, consumed, ends, prepare, read

#: The most bytes and records of all partitions that stay in memory for tails near the end.
_RECENT_BYTES, _RECENT = 32 << 20, 32_768
_CLOSED = "the log is closed"


class SqliteLog:
    """The log in `path`. A lock on its folder (runtime/data_folder.py) keeps other processes out."""

    def __init__(self, path: Path, identity: str, partitions: int, opener: Connect = connect) -> None:
        self.identity = identity
        self._partitions = partitions
        self._reader = connect_reader(path)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="log-reader")
        self._window = Window(_RECENT_BYTES, _RECENT)
        self._parts = {place: RecentRecords(end, self._window) for place, end in ends(self._reader).items()}
        self._consumed = consumed(self._reader)
        self._writers: dict[tuple[str, int], SqliteWriter] = {}
        self._groups: dict[str, Group] = {}
        self._closed = False
        self._committer = Committer(path, asyncio.get_running_loop(), self._committed, opener)

    @classmethod
    async def open(cls, path: Path, partitions: int = 1, opener: Connect = connect) -> "SqliteLog":
        """Open or create the file. A file keeps the number of partitions that it was made with.

        `opener` opens the connection that writes.
        """
        identity, partitions = await asyncio.to_thread(prepare, path, partitions)
        return cls(path, identity, partitions, opener)

    def partitions(self, topic: str) -> int:  # noqa: ARG002 (the port's signature)
        """Return the number of partitions that the file was created with."""
        return self._partitions

    async def look_up(self, topic: str) -> bool:  # noqa: ARG002 (the port's signature)
        """Return True: a topic begins with its first record."""
        return True

    async def writer(self, name: str, topic: str, partition: int) -> "SqliteWriter":
        """Open a writer and fence the former one of this name and partition."""
        writer = self._writers[name, partition] = SqliteWriter(self, name, topic, partition)
        await self.append(writer, ())  # appends that a former writer had queued end before this
        return writer

    async def append(
        self, writer: "SqliteWriter", records: Sequence[NewRecord], consumed: Consumed | None = None
    ) -> Sequence[int]:
        """Put the records into the next commit and wait until it is on disk. Raises `LogFault`."""
        if self._closed:
            raise LogFault(_CLOSED)
        own, elsewhere = (writer.topic, writer.partition), False
        for record in records:
            record.key.encode()  # fails here for lone surrogates, and not in the commit of other appends
            elsewhere = elsewhere or bool(record.topic)
        where = positions_of(records, own, self.partitions) if elsewhere else None
        answer: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        place = (writer.name, writer.partition)
        fenced = lambda: self._writers.get(place) is not writer  # noqa: E731 (asked by the committer's thread)
        self._committer.submit(QueuedAppend(writer.name, *own, records, where, consumed, fenced, answer))
        return await answer

    def _committed(self, append: QueuedAppend, offsets: Sequence[int]) -> None:
        if append.consumed is not None:
            moved = append.consumed
            self._consumed[append.name, moved.topic, moved.partition] = moved.offset
        if append.places is not None:
            for place, n, r in zip(append.places, offsets, append.records, strict=True):
                self._part(*place).publish([Record(*place, n, r.key, r.value)])
            return
        topic, partition = append.topic, append.partition
        both = zip(offsets, append.records, strict=True)
        self._part(topic, partition).publish([Record(topic, partition, n, r.key, r.value) for n, r in both])

    def _part(self, topic: str, partition: int) -> RecentRecords:
        return self._parts.setdefault((topic, partition), RecentRecords(0, self._window))

    async def tail(self, topic: str, partition: int, offset: int) -> "SqliteTail":
        """Read from `offset`."""
        end = self._part(topic, partition).end
        if not 0 <= offset <= end:
            msg = f"{topic}/{partition} ends at {end}, so nothing can be read from {offset}"
            raise OutOfRange(msg)
        return SqliteTail(self, topic, partition, offset)

    async def read(self, topic: str, partition: int, offset: int, most: int) -> Sequence[Record]:
        """Return 1 to `most` records from `offset`: from memory if they are recent, else from the file."""
        recent = self._part(topic, partition)
        while not (records := recent.read(offset, most)):
            if records is None:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(
                    self._threads, read, self._reader, topic, partition, offset, most
                )
            await recent.wait()
        return records

    async def start(self, topic: str, partition: int) -> int:  # noqa: ARG002 (the port's signature)
        """Return 0: the embedded log keeps every record."""
        return 0

    async def end(self, topic: str, partition: int) -> int:
        """Return the offset after the last durable record."""
        return self._part(topic, partition).end

    async def consumed(self, name: str, topic: str, partition: int) -> int:
        """Return the offset that the last durable append moved to; 0 if there was none."""
        return self._consumed.get((name, topic, partition), 0)

    async def join(self, group: str, topic: str, assigned: Change, revoked: Change) -> GroupMembership:
        """Join a group of this process; the folder's lock keeps other processes out."""
        members = self._groups.setdefault(group, Group(self.partitions(topic)))
        return await members.join(assigned, revoked)

    async def close(self) -> None:
        """Commit what is queued and close the file."""
        self._closed = True
        await asyncio.to_thread(self._committer.stop)
        self._threads.shutdown()
        self._reader.close()


class SqliteWriter:
    """A writer of the embedded log."""

    def __init__(self, log: SqliteLog, name: str, topic: str, partition: int) -> None:
        self._log = log
        self.name = name
        self.topic = topic
        self.partition = partition

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        """Append all or none; durable when this returns."""
        return await self._log.append(self, records, consumed)

    async def close(self) -> None:
        """Do nothing: there are no resources to release."""


class SqliteTail:
    """A reader of one partition of the embedded log."""

    def __init__(self, log: SqliteLog, topic: str, partition: int, offset: int) -> None:
        self._log = log
        self._topic = topic
        self._partition = partition
        self.position = offset

    async def take(self, most: int) -> Sequence[Record]:
        """Return 1 to `most` records, waiting for the first."""
        records = await self._log.read(self._topic, self._partition, self.position, most)
        self.position = records[-1].offset + 1
        return records

    async def close(self) -> None:
        """Do nothing: there are no resources to release."""


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
            (partitions,) = self.database.execute(
                "SELECT value FROM about WHERE name = 'partitions'"
            ).fetchone()
            self._partitions = int(partitions)
        except (sqlite3.Error, TypeError, ValueError) as fault:
            msg = (
                f"{path} cannot be read ({fault}); see whether it is a log, and whether this user may read it"
            )
            raise LogFault(msg) from fault

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
