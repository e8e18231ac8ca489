"""Finds and raises the ends of a topic's partitions: offsets that must grow although the log was set back.

An end is raised by records in transactions that are aborted. They take offsets, and no program that reads
committed records gets one of them: neither owners nor views. Brokers store them as compressed batches, about
1.4 bytes for each, and readers step over a batch without unpacking it.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from bookshelf.log.kafka.clients import BATCH_BYTES, Clients, start_client, stop_producer
from bookshelf.log.kafka.connect import administered
from bookshelf.log.kafka.faults import FENCED, asking, persist
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.log.kafka.writer import Transaction, claim
from bookshelf.log.port import LogFault

#: Offsets that one transaction takes; it ends long before the brokers would end it themselves.
_TRANSACTION = 200_000
#: The number by which Kafka's format names gzip, which needs no library.
_GZIP = 1
#: Offsets before the end that are searched for the last record, at first; then four times as many, and so on.
_FIRST_SEARCH = 1000
_READ = 500
#: Where the parts of a batch end or begin in Kafka's format 2, in bytes: its length counts from the first on.
_LENGTH_END, _ATTRIBUTES, _RECORDS = 12, 21, 61
#: The window bits by which zlib writes gzip's format.
_GZIP_FRAME = 31


class PartitionEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Where a partition ends. `last`: the offset of its last record, -1 without one. `end`: the next one."""

    partition: int
    last: int
    end: int


async def find_ends(
    settings: KafkaSettings, topic: str, partitions: Iterable[int] = ()
) -> list[PartitionEnd]:
    """Return the ends of these partitions of a topic, by default of all. Raises `LogFault`."""
    log = await KafkaLog.look(settings, [topic])
    try:
        chosen = tuple(partitions) or range(log.partitions(topic))
        return [await _end_of(log, topic, partition) for partition in chosen]
    finally:
        await log.close()


async def _end_of(log: KafkaLog, topic: str, partition: int) -> PartitionEnd:
    start, end = await log.start(topic, partition), await log.end(topic, partition)
    last, searched, begin = -1, _FIRST_SEARCH, end
    while last < 0 and begin > start:
        before, begin = begin, max(start, end - searched)
        last = await _last_in(log, topic, partition, begin, before)
        searched *= 4
    return PartitionEnd(partition=partition, last=last, end=end)


async def _last_in(log: KafkaLog, topic: str, partition: int, begin: int, before: int) -> int:
    """Return the offset of the last record in this part of a partition; -1 if there is none."""
    tail, last = await log.tail(topic, partition, begin), -1
    try:
        while tail.position < before:
            offsets = [record.offset for record in await tail.take(_READ)]
            last = max((offset for offset in offsets if offset < before), default=last)
    finally:
        await tail.close()
    return last


async def raise_ends(
    settings: KafkaSettings, topic: str, goals: Mapping[int, int], progress: Callable[[int], None]
) -> dict[int, int]:
    """Append to these partitions until their next records have the offsets of their goals; return the ends.

    `progress` is called with the number of offsets that were taken. After an interruption the same call goes
    on where it was: what was appended counts. Raises `LogFault`.
    """
    log = await KafkaLog.look(settings, [topic])
    clients = Clients(settings)
    try:
        for partition, goal in goals.items():
            where = TopicPartition(settings.prefix + topic, partition)
            producer = clients.producer(f"{settings.prefix}raise-{topic}-{partition}")
            try:
                async with asking(f"opening a writer of {topic}/{partition}", settings.ask_s):
                    await start_client(producer)
                    await claim(producer, where)
                while (missing := goal - await log.end(topic, partition)) > 0:
                    # one of the offsets is that of the marker of the transaction
                    count = min(_TRANSACTION, max(1, missing - 1))
                    async with _appending(f"{topic}/{partition}", settings.append_s):
                        await _append_aborted(producer, where, count)
                    progress(min(missing, count + 1))
            finally:
                await stop_producer(producer)
        return {partition: await log.end(topic, partition) for partition in goals}
    finally:
        await log.close()


@asynccontextmanager
async def _appending(where: str, seconds: float) -> AsyncIterator[None]:
    try:
        async with asking(f"appending to {where}", seconds):
            yield
    except FENCED as fault:
        raise LogFault(f"another process raises the end of {where} too; wait until it has ended") from fault


async def _append_aborted(producer: AIOKafkaProducer, where: TopicPartition, count: int) -> None:
    transaction = await Transaction.begin(producer)
    while count > 0:
        batch = await asyncio.to_thread(_full_batch, count)
        count -= batch.record_count()
        await transaction.send([(where, batch)])
    await transaction.placed()
    await producer.abort_transaction()


def _full_batch(most: int) -> BatchBuilder:
    """Return a batch of up to so many records without a meaning."""
    batch = _PackedBatch(BATCH_BYTES, 0, is_transactional=1)
    now = time.time_ns() // 1_000_000
    for _ in range(most):
        if batch.append(timestamp=now, key=None, value=b"") is None:
            break
    return batch


class _PackedBatch(BatchBuilder):  # type: ignore[misc] # aiokafka has no types
    """A batch that is compressed fast: aiokafka takes gzip's slowest level, and a hundred times as long."""

    _packed: bytes | None = None

    def _build(self) -> bytes:
        if self._packed is None:
            self._packed = _packed(super()._build())
        return self._packed


def _packed(batch: bytes | bytearray) -> bytes:
    """Return a batch of Kafka's format 2 with its records compressed by gzip."""
    attributes = int.from_bytes(batch[_ATTRIBUTES : _ATTRIBUTES + 2]) | _GZIP
    records = zlib.compress(batch[_RECORDS:], level=1, wbits=_GZIP_FRAME)
    rest = attributes.to_bytes(2) + batch[_ATTRIBUTES + 2 : _RECORDS] + records
    length = len(rest) + _ATTRIBUTES - _LENGTH_END
    first, magic = batch[: _LENGTH_END - 4], batch[_LENGTH_END : _ATTRIBUTES - 4]
    checksum: int = calc_crc32c(rest)
    return b"".join((first, length.to_bytes(4), magic, checksum.to_bytes(4), rest))


async def active_groups(settings: KafkaSettings, topics: AbstractSet[str]) -> list[str]:
    """Return the names of the consumer groups whose members divide one of these topics. Raises `LogFault`.

    A group whose members are changing just now counts too: its topics are not known then.
    """
    wanted = {settings.prefix + topic for topic in topics}
    what = f"asking {settings.bootstrap} for consumer groups"
    async with administered(Clients(settings), what, settings.ask_s) as (_, admin):
        listed = await persist(admin.list_consumer_groups)
        names = [name for name, *_ in listed if name.startswith(settings.prefix)]
        # one by one: aiokafka 0.14 cannot decode an answer about several groups
        found = [await persist(partial(admin.describe_consumer_groups, [name])) for name in names]
    groups = [group for answers in found for answer in answers for group in answer.groups]
    return sorted(group[1] for group in groups if _divides(group[5], wanted))


def _divides(members: Iterable[Any], topics: AbstractSet[str]) -> bool:
    given = [metadata for _, _, _, metadata, _ in members]
    return any(
        not metadata or not topics.isdisjoint(ConsumerProtocolMemberMetadata.decode(metadata).subscription)
        for metadata in given
    )
