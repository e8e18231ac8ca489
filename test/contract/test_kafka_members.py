"""Members of a group on Kafka: warm shares, drains that fail, offsets that move while they are members."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from contract.group_contract import Floor
from contract.log_contract import TOPIC, records
from support.kafka import Broker, brokers
from support.kafka_log import kafka_log
from support.until import eventually

from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.port import Consumed, LogFault

pytestmark = pytest.mark.needs("kafka")


@pytest.fixture
async def log(kafka_broker: Broker) -> AsyncIterator[KafkaLog]:
    async with kafka_log(kafka_broker.address, TOPIC, "commands", partitions=8) as opened:
        yield opened


async def test_remaining_members_keep_their_partitions(log: KafkaLog) -> None:
    floor = Floor(log)
    await floor.join("ann")
    await floor.until(lambda: len(floor.owns["ann"]) == 8)
    await floor.join("bob")
    await floor.until(lambda: [len(floor.owns[member]) for member in ("ann", "bob")] == [4, 4])
    anns, bobs = frozenset(floor.owns["ann"]), frozenset(floor.owns["bob"])
    guest = await floor.join("cid")
    await floor.until(lambda: sorted(map(len, floor.owns.values())) == [2, 3, 3])
    assert floor.owns["ann"] <= anns
    assert floor.owns["bob"] <= bobs
    await guest.leave()
    await floor.until(lambda: sum(map(len, floor.owns.values())) == 8)


async def test_the_consumed_offset_moves_during_rebalances(
    log: KafkaLog,
) -> None:
    floor = Floor(log)
    await floor.join("ann")
    writer = await log.writer("newbook", TOPIC, 0)
    for n in range(1, 6):
        guest = await floor.join(f"guest-{n}")
        await writer.append(records(str(n)), Consumed("commands", 0, n))
        await guest.leave()
    await log.writer("newbook", TOPIC, 0)
    assert await log.consumed("newbook", "commands", 0) == 5


async def test_a_member_whose_drain_fails_still_leaves(log: KafkaLog) -> None:
    async def given(_: frozenset[int]) -> None:
        """Take them."""

    async def breaks(_: frozenset[int]) -> None:
        msg = "a defect"
        raise ZeroDivisionError(msg)

    broken = await log.join("newbook", TOPIC, given, breaks)
    await broken.leave()
    floor = Floor(log)
    await floor.join("ann")
    await floor.until(lambda: len(floor.owns["ann"]) == 8)


async def test_leaving_twice_at_once_waits_for_one_drain(log: KafkaLog) -> None:
    drained = 0
    draining, opened = asyncio.Event(), asyncio.Event()

    async def given(_: frozenset[int]) -> None:
        """Take them."""

    async def drain(_: frozenset[int]) -> None:
        nonlocal drained
        draining.set()
        await opened.wait()
        drained += 1

    member = await log.join("newbook", TOPIC, given, drain)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(member.leave())
        await draining.wait()
        tasks.create_task(member.leave())
        await asyncio.sleep(0)  # sleep: the second has asked too
        opened.set()
    assert drained == 1


@pytest.fixture
def hanging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with brokers(tmp_path_factory.mktemp("kafka")) as [broker]:
        yield broker


async def test_a_group_that_cannot_be_joined_is_reported_in_time(hanging: Broker) -> None:
    async with kafka_log(hanging.address, TOPIC, ask_s=0.5, rebalance_s=0.5, session_s=0.5) as log:
        hanging.send(signal.SIGSTOP)
        with pytest.raises(LogFault, match=r"newbook cannot be joined: not within 1 s"):
            await Floor(log).join("ann")


async def test_a_member_suspended_past_its_session_loses_its_partitions(kafka_broker: Broker) -> None:
    async with kafka_log(kafka_broker.address, TOPIC, session_s=0.5, heartbeat_s=30.0) as log:
        floor = Floor(log)
        await floor.join("sleepy")  # it sends no heartbeat for 30 s
        other = log._settings  # noqa: SLF001 (the same names, with a heart that beats)
        async with kafka_log(other.bootstrap, TOPIC, prefix=other.prefix, session_s=5.0) as awake:
            wakeful = Floor(awake)
            await wakeful.join("wakeful")
            await wakeful.until(lambda: len(wakeful.owns["wakeful"]) == 8)


async def test_members_get_their_partitions_back_after_a_broker_restart(
    hanging: Broker,
) -> None:
    async with kafka_log(hanging.address, TOPIC) as log:
        floor = Floor(log)
        ann = await floor.join("ann")
        await floor.join("bob")
        await floor.until(lambda: sorted(map(len, floor.owns.values())) == [4, 4])
        hanging.kill()
        await hanging.again()
        await ann.leave()

        async def taken_over() -> bool:
            return len(floor.owns["bob"]) == 8 and not floor.owns["ann"]

        await eventually(taken_over, "bob has every partition", 30)
        assert floor.shared == []
