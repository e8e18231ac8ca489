"""What a log on Kafka makes of its topics, and what it holds them to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from contract.log_contract import TOPIC, everything, records
from support.kafka import Broker
from support.kafka_log import admin_of, kafka_log, named, settings
from support.until import eventually

from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import Topic
from bookshelf.log.port import LogFault, NewRecord, OutcomeUnknown, partition_of

pytestmark = pytest.mark.needs("kafka")


@pytest.fixture
async def admin(kafka_broker: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    async with admin_of(kafka_broker.address) as client:
        yield client


async def configs(admin: AIOKafkaAdminClient, topic: str) -> dict[str, Any]:
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    [(_, _, _, _, entries)] = answer.resources
    return {name: value for name, value, *_ in entries}


async def test_a_missing_topic_is_created_with_the_settings_for_events(
    kafka_broker: Broker, admin: AIOKafkaAdminClient
) -> None:
    chosen = settings(kafka_broker.address, partitions=5)
    log = await KafkaLog.open(chosen, [Topic(TOPIC), Topic("replies", retention_s=3600)])
    assert (log.partitions(TOPIC), log.partitions("replies")) == (5, 5)
    made = await configs(admin, chosen.prefix + TOPIC)
    assert (made["retention.ms"], made["retention.bytes"], made["cleanup.policy"]) == ("-1", "-1", "delete")
    assert (made["min.insync.replicas"], made["unclean.leader.election.enable"]) == ("1", "false")
    assert (await configs(admin, chosen.prefix + "replies"))["retention.ms"] == "3600000"
    await log.close()


async def test_concurrently_opened_logs_create_a_topic_once(kafka_broker: Broker) -> None:
    chosen = settings(kafka_broker.address)
    logs = await asyncio.gather(*(KafkaLog.open(chosen, [Topic(TOPIC)]) for _ in range(4)))
    assert {log.partitions(TOPIC) for log in logs} == {8}
    assert len({log.identity for log in logs}) == 1
    await asyncio.gather(*(log.close() for log in logs))


async def test_a_topic_with_another_number_of_partitions_is_kept_and_reported(kafka_broker: Broker) -> None:
    async with kafka_log(kafka_broker.address, TOPIC, prefix="three.", partitions=3):
        pass
    with pytest.raises(
        LogFault, match=r"three\.bookshelf has 3 partitions, but 8 are wanted; set kafka_partitions to 3"
    ):
        await KafkaLog.open(settings(kafka_broker.address, prefix="three."), [Topic("new"), Topic(TOPIC)])
    # nothing is created: it would have another number of partitions
    both = settings(kafka_broker.address, prefix="three.", partitions=3)
    log = await KafkaLog.open(both, [Topic("new"), Topic(TOPIC)])
    assert (log.partitions("new"), log.partitions(TOPIC)) == (3, 3)
    await log.close()


async def test_more_replicas_than_brokers_are_reported(kafka_broker: Broker) -> None:
    with pytest.raises(LogFault, match=r"does not make the topic .*; set kafka_replication to no more than"):
        await KafkaLog.open(settings(kafka_broker.address, replication=3, wait_s=1.0), [Topic(TOPIC)])


async def test_a_topic_that_was_created_again_is_another_log(
    kafka_broker: Broker, admin: AIOKafkaAdminClient
) -> None:
    chosen = settings(kafka_broker.address, partitions=1)
    async with kafka_log(chosen.bootstrap, TOPIC, prefix=chosen.prefix, partitions=1) as log:
        former = log.identity
    await admin.delete_topics([chosen.prefix + TOPIC])
    async with kafka_log(chosen.bootstrap, TOPIC, prefix=chosen.prefix, partitions=1) as log:
        assert log.identity != former


async def test_topics_with_retention_are_not_part_of_the_identity(kafka_broker: Broker) -> None:
    chosen = settings(kafka_broker.address)
    alone = await KafkaLog.open(chosen, [Topic(TOPIC)])
    more = await KafkaLog.open(chosen, [Topic(TOPIC), Topic("replies", retention_s=60)])
    assert alone.identity == more.identity
    await asyncio.gather(alone.close(), more.close())


async def test_an_unknown_topic_is_reported(kafka_broker: Broker) -> None:
    async with kafka_log(kafka_broker.address, TOPIC) as log:
        with pytest.raises(LogFault, match="not opened with a topic shop, only with bookshelf"):
            await log.tail("shop", 0, 0)


async def test_a_record_that_is_too_large_is_refused_and_the_writer_stays_usable(
    kafka_broker: Broker,
) -> None:
    async with kafka_log(kafka_broker.address, TOPIC) as log:
        writer = await log.writer("newbook", TOPIC, 0)
        with pytest.raises(LogFault, match=r"the topic bookshelf takes 16777216 \(max.message.bytes\)"):
            await writer.append([*records("a"), NewRecord("b", b"x" * (16 << 20))])
        await writer.append(records("c"))
        await writer.append([NewRecord("d", b"x" * (10 << 20))])
        assert [record.key for record in await everything(log)] == ["c", "d"]


async def test_a_refused_append_has_a_known_outcome(kafka_broker: Broker, admin: AIOKafkaAdminClient) -> None:
    async with kafka_log(kafka_broker.address, TOPIC) as log:
        writer = await log.writer("newbook", TOPIC, 0)
        await writer.append(records("a"))
        smaller = ConfigResource(ConfigResourceType.TOPIC, named(log), {"max.message.bytes": "1000"})
        await admin.alter_configs([smaller])
        with pytest.raises(LogFault, match="nothing was written") as refused:
            await writer.append([NewRecord("b", b"x" * 100_000)])
        assert type(refused.value) is LogFault
        with pytest.raises(OutcomeUnknown, match="open another"):
            await writer.append(records("c"))
        await (await log.writer("newbook", TOPIC, 0)).append(records("d"))
        assert [record.key for record in await everything(log)] == ["a", "d"]


async def test_a_large_append_is_one_transaction_of_many_batches(kafka_broker: Broker) -> None:
    async with kafka_log(kafka_broker.address, TOPIC) as log:
        writer = await log.writer("newbook", TOPIC, 0)
        offsets = await writer.append([NewRecord(str(n), b"x" * 300_000) for n in range(20)])
        found = await everything(log)
        assert [record.key for record in found] == [str(n) for n in range(20)]
        assert [record.offset for record in found] == list(offsets)


async def test_a_topic_of_another_service_is_looked_up_and_not_created(
    kafka_broker: Broker, admin: AIOKafkaAdminClient
) -> None:
    async with kafka_log(kafka_broker.address, TOPIC) as log:
        answers = named(log, TOPIC).replace(TOPIC, "answers")
        assert not await log.look_up("answers")
        assert answers not in await admin.list_topics()
        await admin.create_topics([NewTopic(answers, 3, 1)])
        await eventually(lambda: log.look_up("answers"), "the new topic is found", 30)
        assert log.partitions("answers") == 3
        writer = await log.writer("newbook", TOPIC, 0)
        await writer.append([NewRecord("a", b"1"), NewRecord("a", b"2", "answers")])
        await admin.delete_topics([answers])

        async def deleted() -> bool:
            return not await log.look_up("answers")

        await eventually(deleted, "the deleted topic is missing", 30)
        with pytest.raises(LogFault, match="not opened with a topic answers"):
            log.partitions("answers")


async def _partitions_are(admin: AIOKafkaAdminClient, topic: str, count: int) -> bool:
    [described] = await admin.describe_topics([topic])
    return len(described["partitions"]) == count


async def _written(log: KafkaLog, keys: int) -> None:
    for partition in range(log.partitions(TOPIC)):
        writer = await log.writer("newbook", TOPIC, partition)
        own = [f"k{n}" for n in range(keys) if partition_of(f"k{n}", log.partitions(TOPIC)) == partition]
        await writer.append(records(*own))


@pytest.mark.parametrize("later", [0, 60], ids=["at once", "after more was written"])
async def test_a_topic_with_added_partitions_is_refused(
    kafka_broker: Broker, admin: AIOKafkaAdminClient, later: int
) -> None:
    chosen = settings(kafka_broker.address, partitions=3)
    log = await KafkaLog.open(chosen, [Topic(TOPIC)])
    await _written(log, 24)
    await log.close()
    await (await KafkaLog.open(chosen, [Topic(TOPIC)])).close()
    await admin.create_partitions({chosen.prefix + TOPIC: NewPartitions(6)})
    grown = msgspec.structs.replace(chosen, partitions=6)
    await eventually(lambda: _partitions_are(admin, chosen.prefix + TOPIC, 6), "the partitions are there", 30)
    if later:  # by a release that did not look
        producer = AIOKafkaProducer(bootstrap_servers=kafka_broker.address)
        await producer.start()
        for n in range(1000, 1000 + later):
            partition = partition_of(f"k{n}", 6)
            await producer.send_and_wait(chosen.prefix + TOPIC, b"1", f"k{n}".encode(), partition)
        await producer.stop()
    with pytest.raises(
        LogFault, match=r"has 6 partitions, and its first records were written for 3: .* a topic with 3 under"
    ):
        await KafkaLog.open(grown, [Topic(TOPIC)])


@pytest.mark.parametrize(
    ("name", "value"),
    [("cleanup.policy", "compact"), ("retention.ms", "3600000"), ("retention.bytes", "1000000")],
)
async def test_a_topic_with_retention_or_compaction_is_refused(
    kafka_broker: Broker, admin: AIOKafkaAdminClient, name: str, value: str
) -> None:
    chosen = settings(kafka_broker.address)
    await (await KafkaLog.open(chosen, [Topic(TOPIC)])).close()
    topic = chosen.prefix + TOPIC
    kept = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {**kept, name: value})])
    remedy = f"--entity-name {topic} --add-config {name}={kept[name]}"
    with pytest.raises(LogFault, match=rf"has {name}={value}, .*{remedy}"):
        await KafkaLog.open(chosen, [Topic(TOPIC)])
