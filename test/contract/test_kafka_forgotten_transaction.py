"""A coordinator that forgot a transaction, whose records are in the partition: the next writer ends it."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from contract.log_contract import TOPIC, everything, write
from support.kafka import brokers
from support.kafka_log import kafka_log

from bookshelf.log.kafka.log import KafkaLog

pytestmark = pytest.mark.needs("kafka")


async def forgotten(log: KafkaLog) -> None:
    """Write a record in a transaction that the coordinator does not know, and leave it open."""
    writer = await log.writer("newbook", TOPIC, 0)
    producer = writer._producer  # noqa: SLF001 (no client does this by itself: a broker's end does)
    where = TopicPartition(log._at(TOPIC, 0).topic, 0)  # noqa: SLF001 (as above)
    await producer.begin_transaction()
    producer._txn_manager._txn_partitions.add(where)  # noqa: SLF001 (as above)
    batch = producer.create_batch()
    batch.append(timestamp=None, key=b"never", value=b"{}")
    await (await producer.send_batch(batch, where.topic, partition=0))
    await writer.close()


async def test_the_next_writer_ends_a_forgotten_transaction(tmp_path: Path) -> None:
    with brokers(tmp_path, transaction__partition__verification__enable="false") as [broker]:
        async with kafka_log(broker.address, TOPIC) as log, asyncio.timeout(60):
            await write(log, "a")
            await forgotten(log)
            await write(log, "b")
            assert [record.key for record in await everything(log)] == ["a", "b"]
