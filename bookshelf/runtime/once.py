"""Reading a partition so that a record which stands there twice counts once.

Our own writers never write one twice. Whoever copies a topic, or brings it back from a copy, may: Kafka's
tools for that repeat some records after a fault. Each event has an id of its own, so a record that is the
same to the last byte is the same event (CloudEvents 1.0, `id`).
"""

from collections.abc import Sequence

from bookshelf.log.port import Log, Record, Tail

#: Offsets between a record and its repetition at the most. Whoever begins in the middle reads these first,
#: so that everyone passes over the same records, wherever they began.
WINDOW = 1000


async def once(log: Log, topic: str, partition: int, offset: int) -> Tail:
    """Read from `offset`, without repetitions. Raises `OutOfRange`, `LogFault`."""
    before = offset - WINDOW
    if offset > 0:
        start, end = await log.start(topic, partition), await log.end(topic, partition)
        before = max(start, before) if start < offset <= end else offset
    return _Once(await log.tail(topic, partition, max(before, 0)), offset)


class _Once:
    """A tail that begins at an offset to whoever asks, and some records earlier for itself."""

    def __init__(self, tail: Tail, offset: int) -> None:
        self._tail = tail
        self._offset = offset
        #: Where a record like this stood last.
        self._seen: dict[int, int] = {}

    @property
    def position(self) -> int:
        """The offset that is read next."""
        return max(self._tail.position, self._offset)

    async def take(self, most: int) -> Sequence[Record]:
        """Return up to `most` records in order, waiting for the first; none if only the position moved."""
        while True:
            before = self._tail.position
            records = await self._tail.take(most)
            fresh = self._fresh(records)
            if before >= self._offset:
                return fresh
            fresh = [record for record in fresh if record.offset >= self._offset]
            if fresh or self._tail.position > self._offset:
                return fresh

    def _fresh(self, records: Sequence[Record]) -> Sequence[Record]:
        marks = [hash((record.key, record.value)) for record in records]
        offsets = [record.offset for record in records]
        # for nearly all batches this is all the work, and little for each record
        alike = len(set(marks)) < len(marks) or not self._seen.keys().isdisjoint(marks)
        found = self._first(records, marks) if alike else records
        self._seen.update(zip(marks, offsets, strict=True))
        if len(self._seen) > 4 * WINDOW:
            oldest = offsets[-1] - WINDOW
            self._seen = {mark: offset for mark, offset in self._seen.items() if offset >= oldest}
        return found

    def _first(self, records: Sequence[Record], marks: Sequence[int]) -> Sequence[Record]:
        found = []
        for record, mark in zip(records, marks, strict=True):
            if record.offset - self._seen.get(mark, -WINDOW - 1) > WINDOW:
                found.append(record)
            self._seen[mark] = record.offset
        return found

    async def close(self) -> None:
        """Stop reading."""
        await self._tail.close()
