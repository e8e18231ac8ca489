"""Reads a partition without duplicates: of identical records that are close together, only the first counts.

Our own writers never append a record twice. Tools that copy a topic, or restore one from a copy, may repeat
some records after a fault. Each event has a unique id, so records with identical bytes are the same event
(CloudEvents 1.0, `id`).

A checkpoint is an offset and the mark of the last record before it: `OFFSET:DIGEST`. Reading from a
checkpoint compares that record, so a log that was restored to an earlier point and then extended is detected.
"""

from collections.abc import Sequence
from hashlib import blake2b

import structlog

from bookshelf.log.port import Log, OutOfRange, Record, Tail

#: The most offsets between a record and its duplicate. A reader that begins in the middle of a partition also
#: reads as many records before its offset, so that all readers skip the same duplicates.
WINDOW = 1000


#: Records of one read while a checkpoint is compared.
_EARLY = 100
_logger = structlog.get_logger(__name__)


class Diverged(OutOfRange):
    """The record before the checkpoint is another one in this log: the log was restored and extended."""


def mark_of(record: Record) -> str:
    """Return what identifies a record by its offset, its key and its value."""
    digest = blake2b(record.key.encode(errors="surrogatepass"), digest_size=16)
    digest.update(b"\0")
    digest.update(record.value)
    return f"{record.offset}:{digest.hexdigest()}"


async def open_deduplicated(
    log: Log, topic: str, partition: int, offset: int, mark: str = ""
) -> "DeduplicatingTail":
    """Read from `offset`, without duplicates; `mark` is that of the last record before it, if it is known.

    Raises `Diverged`, `OutOfRange`, `LogFault`.
    """
    first, marked = offset, int(mark.partition(":")[0]) if mark else None
    if marked is not None and marked >= offset:  # the checkpoint was set back since the mark was noted
        mark, marked = "", None
    if offset > 0:
        start, end = await log.start(topic, partition), await log.end(topic, partition)
        if start < offset <= end:
            first = max(start, offset - WINDOW)
            if marked is not None and marked < start:
                where = f"{topic}/{partition}@{marked}"
                _logger.warning("checkpoint-not-compared", record=where, begins_at=start)
                marked = offset - 1
            elif marked is not None:
                first = min(first, marked)
    tail = DeduplicatingTail(await log.tail(topic, partition, max(first, 0)), offset, mark)
    if first < offset:
        try:
            await tail.compare(offset if marked is None else marked + 1)
        except BaseException:
            await tail.close()
            raise
    return tail


class DeduplicatingTail:
    """A tail that returns records from an offset on, and reads some earlier ones to detect duplicates."""

    def __init__(self, tail: Tail, offset: int, mark: str) -> None:
        self._tail = tail
        self._offset = offset
        self._position = tail.position
        self._mark = mark
        self._last: Record | None = None
        #: Read to compare the checkpoint: records from the offset on, the position after them, the last one.
        self._early: tuple[Sequence[Record], int, Record | None] | None = None
        #: The last offset of each record, by the hash of its key and value.
        self._seen: dict[int, int] = {}

    @property
    def position(self) -> int:
        """The offset that is read next."""
        return max(self._position, self._offset)

    @property
    def mark(self) -> str:
        """The mark of the last record before `position`; empty if none is known."""
        if self._last is not None:
            self._mark, self._last = mark_of(self._last), None
        return self._mark

    async def compare(self, goal: int) -> None:
        """Compare the last record before `goal` with the mark, or take its mark if there is none.

        Raises `Diverged`.
        """
        last: Record | None = None
        while self._tail.position < goal:
            records = await self._tail.take(_EARLY)
            last = next((record for record in reversed(records) if record.offset < goal), last)
            fresh = [record for record in self._fresh(records) if record.offset >= self._offset]
            self._position = min(self._tail.position, self._offset)
            if self._tail.position > self._offset:  # also without records: it is not read a second time
                self._early = fresh, self._tail.position, records[-1] if records else None
        if not self._mark:
            self._mark = mark_of(last) if last is not None else ""
        elif self._mark.startswith(f"{goal - 1}:") and (last is None or mark_of(last) != self._mark):
            msg = f"the record at offset {goal - 1} is not the one that was read before"
            raise Diverged(msg)

    async def take(self, most: int) -> Sequence[Record]:
        """Return up to `most` records in order, waiting for the first; none if only the position moved."""
        while True:
            before = self._position
            if self._early is not None:
                (fresh, self._position, self._last), self._early = self._early, None
                return fresh
            records = await self._tail.take(most)
            self._position = self._tail.position
            self._last = records[-1] if records else self._last
            fresh = self._fresh(records)
            if before >= self._offset:
                return fresh
            fresh = [record for record in fresh if record.offset >= self._offset]
            if fresh or self._position > self._offset:
                return fresh

    def _fresh(self, records: Sequence[Record]) -> Sequence[Record]:
        marks = [hash((record.key, record.value)) for record in records]
        offsets = [record.offset for record in records]
        # nearly all batches have no duplicates and need no loop over their records
        alike = len(set(marks)) < len(marks) or not self._seen.keys().isdisjoint(marks)
        fresh = self._first(records, marks) if alike else records
        self._seen.update(zip(marks, offsets, strict=True))
        if len(self._seen) > 4 * WINDOW:
            oldest = offsets[-1] - WINDOW
            self._seen = {mark: offset for mark, offset in self._seen.items() if offset >= oldest}
        return fresh

    def _first(self, records: Sequence[Record], marks: Sequence[int]) -> Sequence[Record]:
        fresh = []
        for record, mark in zip(records, marks, strict=True):
            if record.offset - self._seen.get(mark, -WINDOW - 1) > WINDOW:
                fresh.append(record)
            self._seen[mark] = record.offset
        return fresh

    async def close(self) -> None:
        """Stop reading."""
        await self._tail.close()
