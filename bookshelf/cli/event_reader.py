"""Reads the records of a topic from a chosen start on, sorted by time across partitions, for `events`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bookshelf.cli.event_format import moment
from bookshelf.cli.faults import stop
from bookshelf.cqrs.position import Position
from bookshelf.log.partition import partition_of
from bookshelf.log.port import ReadOnlyLog, Record, Tail

#: Records of a partition that are read together.
_BATCH = 500
#: Seconds to wait for a record that is below the end of the log, and perhaps not committed yet.
_RECORD_S = 10.0
#: Seconds without a record after which it is checked again that the output still has a reader.
_LOOK_S = 0.5
#: How far the time of a record's append, by which a log is searched, may be from its event's.
_SLACK = timedelta(minutes=5)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Range(NamedTuple):
    """The part of a topic to read: from its start, from a position, from a time, or from now on."""

    topic: str
    whole: bool = False
    position: Position | None = None
    since: datetime | None = None
    follow: bool = True


async def looked_through(
    log: ReadOnlyLog, where: Range, paused: Callable[[], None]
) -> AsyncGenerator[Record, None]:
    """Yield the present records of a range by time, then new ones as they arrive.

    `paused` is called whenever there is no record for a while.
    """
    ends = await _ends(log, where)
    starts = {partition: await _start(log, where, partition, end) for partition, end in ends.items()}
    parts = [
        _so_far(log, where.topic, partition, start, ends[partition]) for partition, start in starts.items()
    ]
    async for record in by_time(parts):
        yield record
    paused()
    if where.follow:
        tails = [await log.tail(where.topic, partition, end) for partition, end in ends.items()]
        async for records in _from_now_on(tails):
            for record in records:
                yield record
            paused()


async def _ends(log: ReadOnlyLog, where: Range) -> Mapping[int, int]:
    count = log.partitions(where.topic)
    if where.position is not None and where.position.partition >= count:
        stop(f"there is no {where.position}: {where.topic} has {count} partitions, from 0")
    chosen = range(count) if where.position is None else (where.position.partition,)
    return {partition: await log.end(where.topic, partition) for partition in chosen}


async def _start(log: ReadOnlyLog, where: Range, partition: int, end: int) -> int:
    if where.position is not None:
        return where.position.offset
    if where.since is not None:
        return await log.since(where.topic, partition, where.since - _SLACK)
    return await log.start(where.topic, partition) if where.whole else end


async def _so_far(
    log: ReadOnlyLog, topic: str, partition: int, start: int, end: int
) -> AsyncIterator[Record]:
    """Yield the records of a partition before `end`, and none that came later."""
    tail = await log.tail(topic, partition, start)
    while tail.position < end:
        for record in await tail.take(_BATCH):
            if record.offset < end:
                yield record
    await tail.close()


async def by_time(parts: Iterable[AsyncIterator[Record]]) -> AsyncIterator[Record]:
    """Yield the records of several partitions by their events' times, each partition's in its own order."""
    heads: list[tuple[datetime, int, Record, AsyncIterator[Record]]] = []

    async def put(number: int, records: AsyncIterator[Record]) -> None:
        if (head := await anext(records, None)) is not None:
            heads.append((moment(head) or _LONG_AGO, number, head, records))

    for number, records in enumerate(parts):
        await put(number, records)
    while heads:
        first = min(heads, key=lambda head: head[:2])
        heads.remove(first)
        yield first[2]
        await put(first[1], first[3])


async def _from_now_on(tails: Sequence[Tail]) -> AsyncIterator[Sequence[Record]]:
    asked = {asyncio.ensure_future(tail.take(_BATCH)): tail for tail in tails}
    try:
        while True:
            answered, _ = await asyncio.wait(asked, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            if not answered:
                yield ()
            for task in answered:
                tail = asked.pop(task)
                yield task.result()
                asked[asyncio.ensure_future(tail.take(_BATCH))] = tail
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def of_key(log: ReadOnlyLog, topic: str, key: str) -> AsyncIterator[Record]:
    """Yield every record of an aggregate that is there now."""
    partition = partition_of(key, log.partitions(topic))
    start, end = await log.start(topic, partition), await log.end(topic, partition)
    async for record in _so_far(log, topic, partition, start, end):
        if record.key == key:
            yield record


async def record_at(log: ReadOnlyLog, position: Position) -> Record:
    """Return the record at a position; end the command with a message if there is none."""
    topic, partition, offset = position.topic, position.partition, position.offset
    if partition >= log.partitions(topic):
        stop(f"there is no {position}: {topic} has {log.partitions(topic)} partitions, from 0")
    start, end = await log.start(topic, partition), await log.end(topic, partition)
    if not start <= offset < end:
        stop(f"there is no {position}: {topic}/{partition} has {start} to {end - 1}")
    tail = await log.tail(topic, partition, offset)
    try:
        async with asyncio.timeout(_RECORD_S):
            records = await tail.take(1)
    except TimeoutError:
        stop(f"{position} is not committed yet")
    if not records or records[0].offset != offset:
        stop(f"{position} is no record: a transaction's marker, or one that was taken back")
    return records[0]
