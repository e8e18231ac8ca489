"""For logs within one process: the newest records of a partition, their readers, and consumer groups."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bookshelf.log.port import Change, Record

#: Bytes of the records that one read returns: it ends with the record that reaches them.
READ_BYTES = 4 << 20
#: What a record takes beside its key and its value.
_RECORD_BYTES = 300


def bounded(records: Iterable[Record]) -> list[Record]:
    """Return the first records, one at least, up to the one that reaches `READ_BYTES`."""
    taken: list[Record] = []
    size = 0
    for record in records:
        taken.append(record)
        size += len(record.value) + len(record.key)
        if size >= READ_BYTES:
            break
    return taken


class Window:
    """Bounds the recent records of all partitions of a log: the oldest published leave first.

    `most_bytes` counts keys, values and what a record takes beside them; `most` counts records.
    """

    def __init__(self, most_bytes: int, most: int) -> None:
        self._most_bytes = most_bytes
        self._most = most
        self._published: deque[tuple[RecentRecords, int, int, int]] = deque()
        self._bytes = 0
        self._count = 0

    def published(self, recent: "RecentRecords", records: Sequence[Record]) -> None:
        """Count records that were published, and drop the oldest if there are too many now."""
        size = sum(len(record.value) + len(record.key) + _RECORD_BYTES for record in records)
        self._published.append((recent, recent.end, size, len(records)))
        self._bytes += size
        self._count += len(records)
        if self._bytes <= self._most_bytes and self._count <= self._most:
            return
        ends: dict[RecentRecords, int] = {}
        # a quarter at once: removing from the front costs as much as what stays
        while self._bytes > self._most_bytes * 3 // 4 or self._count > self._most * 3 // 4:
            oldest, end, gone_bytes, gone = self._published.popleft()
            self._bytes -= gone_bytes
            self._count -= gone
            ends[oldest] = end
        for oldest, end in ends.items():
            oldest.drop(end)


class RecentRecords:
    """The newest records of one partition in memory, so that tails near the end need not read the disk.

    `window` bounds the records held, together with those of other partitions; None holds all of them. Used
    in the event loop's thread only.
    """

    def __init__(self, end: int = 0, window: Window | None = None) -> None:
        self._base = end
        self._records: list[Record] = []
        self._window = window
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def end(self) -> int:
        """The offset after the newest record."""
        return self._base + len(self._records)

    def publish(self, records: Sequence[Record]) -> None:
        """Append committed records and wake the readers that wait. Offsets are dense."""
        self._records.extend(records)
        if self._window is not None and records:
            self._window.published(self, records)
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def drop(self, end: int) -> None:
        """Drop the records below the offset `end`."""
        gone = max(0, end - self._base)
        del self._records[:gone]
        self._base += gone

    def read(self, offset: int, most: int) -> Sequence[Record] | None:
        """Return up to `most` records, and not many more bytes than `READ_BYTES`, from `offset`.

        None if they have left the window.
        """
        if offset < self._base:
            return None
        start = offset - self._base
        return bounded(self._records[start : start + most])

    async def wait(self) -> None:
        """Wait until more records are published."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter


@dataclass(eq=False, slots=True)
class _Member:
    assigned: Change
    revoked: Change
    owns: frozenset[int] = frozenset()


@dataclass(slots=True)
class Group:
    """The members of one group; every change of members divides the partitions again.

    As in Kafka's eager protocol, all partitions that move are revoked and drained before any is assigned.
    """

    partitions: int
    members: list[_Member] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def join(self, assigned: Change, revoked: Change) -> "GroupMembership":
        """Add a member and divide the partitions again."""
        member = _Member(assigned, revoked)
        async with self.lock:
            self.members.append(member)
            await self._divide()
        return GroupMembership(self, member)

    async def leave(self, member: _Member) -> None:
        """Revoke a member's partitions, then divide them among the others. Leaving twice has no effect."""
        async with self.lock:
            if member not in self.members:
                return
            self.members.remove(member)
            await self._take(member, frozenset())
            await self._divide()

    async def _divide(self) -> None:
        shares = _shares(self.partitions, self.members)
        for member, share in shares:
            await self._take(member, share)
        for member, share in shares:
            gained = share - member.owns
            if gained:
                member.owns = share
                await member.assigned(gained)

    async def _take(self, member: _Member, share: frozenset[int]) -> None:
        lost = member.owns - share
        if lost:
            member.owns -= lost
            await member.revoked(lost)


def _shares(partitions: int, members: Sequence[_Member]) -> list[tuple[_Member, frozenset[int]]]:
    return [
        (member, frozenset(range(place, partitions, len(members)))) for place, member in enumerate(members)
    ]


class GroupMembership:
    """One member's membership, by which it leaves its group."""

    def __init__(self, group: Group, member: _Member) -> None:
        self._group = group
        self._member = member

    async def leave(self) -> None:
        """Return all partitions and leave."""
        await self._group.leave(self._member)
