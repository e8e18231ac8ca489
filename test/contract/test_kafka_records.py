"""What is read from Kafka: truncated topics, others' records, transactions that were never ended."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from contract.log_contract import TOPIC, everything, keys, read, records, write
from support.kafka import Broker
from support.kafka_log import admin_of, kafka_log, named, settings
from support.until import eventually

from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import Topic
from bookshelf.log.port import Consumed, NewRecord, OutOfRange

pytestmark = pytest.mark.needs("kafka")


@pytest.fixture
async def admin(kafka_broker: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    async with admin_of(kafka_broker.address) as client:
        yield client


async def truncate(admin: AIOKafkaAdminClient, log: KafkaLog, prefix: str, before: int) -> None:
    await admin.delete_records({TopicPartition(prefix + TOPIC, 0): RecordsToDelete(before)})

    async def truncated() -> bool:
        return await log.start(TOPIC, 0) == before

    await eventually(truncated, "the topic is truncated")


async def test_a_truncated_topic_is_reported_and_read_from_its_start(
    kafka_broker: Broker, admin: AIOKafkaAdminClient
) -> None:
    chosen = settings(kafka_broker.address)
    async with kafka_log(chosen.bootstrap, TOPIC, prefix=chosen.prefix) as log:
        offsets = await write(log, *"abcdef")
        await truncate(admin, log, chosen.prefix, offsets[3])
        said = f"has {offsets[3]} to .*nothing can be read from {offsets[2]}"
        with pytest.raises(OutOfRange, match=said):
            await log.tail(TOPIC, 0, offsets[2])
        assert await keys(log, 3, await log.start(TOPIC, 0)) == ["d", "e", "f"]


async def test_a_tail_reports_that_its_offset_was_truncated(
    kafka_broker: Broker, admin: AIOKafkaAdminClient
) -> None:
    chosen = settings(kafka_broker.address)
    async with kafka_log(chosen.bootstrap, TOPIC, prefix=chosen.prefix) as log:
        writer = await log.writer("newbook", TOPIC, 0)
        for n in range(8):  # more than one answer of a broker holds
            await writer.append([NewRecord(str(n), b"x" * 900_000)])
        tail = await log.tail(TOPIC, 0, 0)
        await tail.take(1)
        await truncate(admin, log, chosen.prefix, await log.end(TOPIC, 0))
        with pytest.raises(OutOfRange, match="was truncated"):
            await read(tail, 8)


async def test_records_of_others_without_key_or_value_or_text_are_read(kafka_broker: Broker) -> None:
    async with kafka_log(kafka_broker.address, TOPIC) as log:
        producer = log._clients.producer("another")  # noqa: SLF001 (someone else's producer)
        await producer.start()
        await producer.begin_transaction()
        topic = named(log)
        for key, value in ((None, b"1"), (b"\xff", b"2"), (b"c", None)):
            await producer.send(topic, value, key, partition=0)
        await producer.commit_transaction()
        await producer.stop()
        found = [(record.key, record.value) for record in await everything(log)]
        assert found == [("", b"1"), ("\ufffd", b"2"), ("c", b"")]


async def test_an_unfinished_transaction_is_ended_by_its_timeout(kafka_broker: Broker) -> None:
    async with kafka_log(kafka_broker.address, TOPIC, transaction_s=1.0) as log:
        dying = log._clients.producer("dies")  # noqa: SLF001 (a writer of a process that dies)
        await dying.start()
        await dying.begin_transaction()
        await dying.send_and_wait(named(log), b"{}", b"dead", partition=0)
        await write(log, "a", name="lives")
        # what was acknowledged lies behind a transaction that is still open: the end is after both
        assert await log.end(TOPIC, 0) >= 2
        assert [record.key for record in await everything(log)] == ["a"]
        await dying.stop()


async def test_an_aborted_transaction_moves_the_position_of_a_waiting_tail(kafka_broker: Broker) -> None:
    async with kafka_log(kafka_broker.address, TOPIC) as log:
        tail = await log.tail(TOPIC, 0, 0)
        former = log._clients.producer(f"{log._settings.prefix}newbook-0")  # noqa: SLF001 (a former writer)
        await former.start()
        await former.begin_transaction()
        await former.send_and_wait(named(log), b"{}", b"a", partition=0)
        await log.writer("newbook", TOPIC, 0)
        end = await log.end(TOPIC, 0)
        async with asyncio.timeout(30):
            while tail.position < end:
                assert await tail.take(10) == []
        await former.stop()


async def test_the_consumed_offset_is_visible_to_another_process(kafka_broker: Broker) -> None:
    chosen = settings(kafka_broker.address)
    former, following = [await KafkaLog.open(chosen, [Topic(TOPIC), Topic("commands")]) for _ in range(2)]
    writer = await former.writer("newbook", TOPIC, 3)
    await writer.append(records("a"), Consumed("commands", 3, 5))
    await following.writer("newbook", TOPIC, 3)
    assert await following.consumed("newbook", "commands", 3) == 5
    await asyncio.gather(former.close(), following.close())


async def test_an_unreferenced_tail_is_closed(kafka_broker: Broker) -> None:
    async with kafka_log(kafka_broker.address, TOPIC) as log:
        await (await log.tail(TOPIC, 0, 0)).close()
        await log.tail(TOPIC, 1, 0)

        async def let_go() -> bool:
            return not log._consumers and not log._stopping  # noqa: SLF001 (what no caller can see)

        await eventually(let_go, "both are closed")
