"""Ends of partitions on Kafka that are raised: offsets go on above them, and readers see nothing of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from contract.log_contract import TOPIC, everything, keys, write
from support.kafka import Broker
from support.kafka_log import settings
from support.until import eventually

from bookshelf.log.deduplicated import open_deduplicated
from bookshelf.log.kafka.ends import PartitionEnd, active_groups, find_ends, raise_ends
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import KafkaSettings, Topic
from bookshelf.log.port import Consumed

pytestmark = pytest.mark.needs("kafka")


@pytest.fixture
def chosen(kafka_broker: Broker) -> KafkaSettings:
    return settings(kafka_broker.address, partitions=2)


@pytest.fixture
async def log(chosen: KafkaSettings) -> AsyncIterator[KafkaLog]:
    opened = await KafkaLog.open(chosen, [Topic(TOPIC)])
    yield opened
    await opened.close()


def ignored(_count: int) -> None:
    """Take no notice of progress."""


async def test_offsets_go_on_above_a_raised_end_and_readers_see_only_records(
    chosen: KafkaSettings, log: KafkaLog
) -> None:
    before = await write(log, "a", "b")
    assert (await find_ends(chosen, TOPIC))[0].last == before[-1]
    taken = list[int]()
    await raise_ends(chosen, TOPIC, {0: 250_000}, taken.append)
    assert sum(taken) == pytest.approx(250_000, abs=10)
    [raised, other] = await find_ends(chosen, TOPIC)
    assert raised.last == before[-1]
    assert 250_000 <= raised.end < 250_010
    assert other == PartitionEnd(partition=1, last=-1, end=0)
    after = await write(log, "c")
    assert after[0] >= 250_000
    assert await keys(log, 3) == ["a", "b", "c"]
    assert [record.offset for record in await everything(log)] == [*before, *after]
    assert (await find_ends(chosen, TOPIC, [0]))[0].last == after[0]


async def test_a_checkpoint_before_a_raised_end_is_read_on_from(chosen: KafkaSettings, log: KafkaLog) -> None:
    await write(log, "a", "b")
    tail = await open_deduplicated(log, TOPIC, 0, 0)
    while tail.position < await log.end(TOPIC, 0):
        await tail.take(10)
    at, mark = tail.position, tail.mark
    await tail.close()
    await raise_ends(chosen, TOPIC, {0: 5000}, ignored)
    await write(log, "c")
    again = await open_deduplicated(log, TOPIC, 0, at, mark)
    found = list[str]()
    while not found:
        found += [record.key for record in await again.take(10)]
    await again.close()
    assert found == ["c"]


async def test_an_interrupted_raise_goes_on_and_a_repeated_one_appends_nothing(
    chosen: KafkaSettings, log: KafkaLog
) -> None:
    [only] = await write(log, "a")
    steps = list[int]()
    raising = asyncio.create_task(raise_ends(chosen, TOPIC, {0: 900_000}, steps.append))

    async def has_begun() -> bool:
        return bool(steps)

    await eventually(has_begun, "a part is appended")
    raising.cancel()
    await asyncio.gather(raising, return_exceptions=True)
    await raise_ends(chosen, TOPIC, {0: 900_000}, ignored)
    [found] = await find_ends(chosen, TOPIC, [0])
    assert found.end >= 900_000
    assert found.last == only
    again = list[int]()
    await raise_ends(chosen, TOPIC, {0: 900_000}, again.append)
    assert again == []
    assert await keys(log, 1) == ["a"]


async def test_groups_with_members_are_found_until_they_leave(chosen: KafkaSettings, log: KafkaLog) -> None:
    async def noted(_partitions: frozenset[int]) -> None:
        pass

    members = [await log.join(name, TOPIC, noted, noted) for name in ("lock", "view")]
    writer = await log.writer("offsets", TOPIC, 0)  # its group has no members
    await writer.append([], Consumed(TOPIC, 0, 0))
    assert await active_groups(chosen, {TOPIC}) == [f"{chosen.prefix}lock", f"{chosen.prefix}view"]
    assert await active_groups(chosen, {"another"}) == []
    await members[0].leave()
    assert await active_groups(chosen, {TOPIC}) == [f"{chosen.prefix}view"]
    await members[1].leave()
    assert await active_groups(chosen, {TOPIC}) == []
