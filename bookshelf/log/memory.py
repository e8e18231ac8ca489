"""The log in memory: for tests and simulations, where many members share one process."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from bookshelf.log.in_process import Group, GroupMembership, RecentRecords
from bookshelf.log.port import Change, Consumed, Fenced, NewRecord, OutOfRange, Record, positions_of


class MemoryLog:
    """A log whose topics have `partitions` partitions each; its records are lost with the process."""

    def __init__(self, partitions: int = 1, identity: str = "memory") -> None:
        self.identity = identity
        self._partitions = partitions
        self._parts: defaultdict[tuple[str, int], RecentRecords] = defaultdict(RecentRecords)
        self._writers: dict[tuple[str, int], MemoryWriter] = {}
        self._groups: dict[str, Group] = {}
        self._consumed: dict[tuple[str, str, int], int] = {}

    def partitions(self, topic: str) -> int:  # noqa: ARG002 (the port's signature)
        """Return the same number for every topic."""
        return self._partitions

    async def look_up(self, topic: str) -> bool:  # noqa: ARG002 (the port's signature)
        """Return True: a topic begins with its first record."""
        return True

    async def writer(self, name: str, topic: str, partition: int) -> "MemoryWriter":
        """Open a writer and fence the former one of this name and partition."""
        writer = MemoryWriter(self, name, topic, partition)
        self._writers[name, partition] = writer
        return writer

    def append(
        self, writer: "MemoryWriter", records: Sequence[NewRecord], consumed: Consumed | None
    ) -> Sequence[int]:
        """Append records for the newest writer of a name and partition. Raises `Fenced` for an older one."""
        if self._writers.get((writer.name, writer.partition)) is not writer:
            msg = f"{writer.name} of partition {writer.partition} has another writer by now"
            raise Fenced(msg)
        where = positions_of(records, (writer.topic, writer.partition), self.partitions)
        offsets: list[int] = []
        for (topic, partition), record in zip(where, records, strict=True):
            recent = self._parts[topic, partition]
            offsets.append(recent.end)
            recent.publish([Record(topic, partition, recent.end, record.key, record.value)])
        if consumed is not None:
            self._consumed[writer.name, consumed.topic, consumed.partition] = consumed.offset
        return offsets

    async def tail(self, topic: str, partition: int, offset: int) -> "MemoryTail":
        """Read from `offset`."""
        recent = self._parts[topic, partition]
        if not 0 <= offset <= recent.end:
            msg = f"{topic}/{partition} ends at {recent.end}, so nothing can be read from {offset}"
            raise OutOfRange(msg)
        return MemoryTail(recent, offset)

    async def start(self, topic: str, partition: int) -> int:  # noqa: ARG002 (the port's signature)
        """Return 0: the log keeps every record."""
        return 0

    async def end(self, topic: str, partition: int) -> int:
        """Return the offset after the last record."""
        return self._parts[topic, partition].end

    async def consumed(self, name: str, topic: str, partition: int) -> int:
        """Return the offset that the last append moved to; 0 if there was none."""
        return self._consumed.get((name, topic, partition), 0)

    async def join(self, group: str, topic: str, assigned: Change, revoked: Change) -> GroupMembership:
        """Join a group of this process."""
        members = self._groups.setdefault(group, Group(self.partitions(topic)))
        return await members.join(assigned, revoked)

    async def close(self) -> None:
        """Keep all records, so that another system can run on the same log."""


class MemoryWriter:
    """A writer of the memory log."""

    def __init__(self, log: MemoryLog, name: str, topic: str, partition: int) -> None:
        self._log = log
        self.name = name
        self.topic = topic
        self.partition = partition

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        """Append all records after one iteration of the event loop, as on a disk or a network."""
        await asyncio.sleep(0)
        return self._log.append(self, records, consumed)

    async def close(self) -> None:
        """Do nothing: there are no resources to release."""


class MemoryTail:
    """A reader of one partition in memory."""

    def __init__(self, recent: RecentRecords, offset: int) -> None:
        self._recent = recent
        self.position = offset

    async def take(self, most: int) -> Sequence[Record]:
        """Return 1 to `most` records, waiting for the first."""
        while not (records := self._recent.read(self.position, most)):
            await self._recent.wait()
        self.position = records[-1].offset + 1
        return records

    async def close(self) -> None:
        """Do nothing: there are no resources to release."""
