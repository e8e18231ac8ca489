"""A broker that dies, hangs and comes back: nothing acknowledged is lost, nothing is there twice."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest
from contract.group_contract import Floor
from contract.log_contract import PARTITIONS, TOPIC, everything, read, records
from structlog.testing import capture_logs
from support.kafka import Broker, brokers
from support.kafka_log import kafka_log

from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.port import Fenced, LogFault, NewRecord, OutcomeUnknown, Tail, Writer

pytestmark = pytest.mark.needs("kafka")


@pytest.fixture(scope="module")
def only_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with brokers(tmp_path_factory.mktemp("kafka")) as [broker]:
        yield broker


@pytest.fixture
def broker(only_broker: Broker) -> Iterator[Broker]:
    yield only_broker
    only_broker.send(signal.SIGCONT)


@pytest.fixture
async def log(broker: Broker) -> AsyncIterator[KafkaLog]:
    short = {"append_s": 3.0, "silence_s": 1.0}
    async with kafka_log(broker.address, TOPIC, partitions=PARTITIONS, **short) as opened:
        yield opened


async def keep_writing(log: KafkaLog, count: int) -> tuple[list[str], int]:
    """Write as an owner does: after an unknown outcome read to the end, and write what is not there."""
    writer: Writer | None = None
    wrote: list[str] = []
    reopened = 0
    while len(wrote) < count:
        try:
            if writer is None:
                writer = await log.writer("newbook", TOPIC, 0)
                wrote = [record.key for record in await everything(log)]
            key = str(len(wrote))
            await writer.append(records(key))
            wrote.append(key)
        except (LogFault, TimeoutError):
            writer, reopened = None, reopened + 1
            await asyncio.sleep(0.05)  # sleep: an owner's own pause
    return wrote, reopened


async def read_on(tail: Tail, count: int) -> None:
    """Read as a view does: continue at its offset after every fault of the broker."""
    while count > 0:
        with suppress(LogFault):
            count -= len(await tail.take(count))


async def test_a_broker_that_is_killed_and_started_again_under_load_loses_and_doubles_nothing(
    broker: Broker, log: KafkaLog
) -> None:
    writing = asyncio.ensure_future(keep_writing(log, 600))
    tail = await log.tail(TOPIC, 0, 0)
    for count in (50, 150):
        async with asyncio.timeout(60):
            await read_on(tail, count)
        broker.kill()
        await broker.again()
    async with asyncio.timeout(60):
        wrote, _ = await writing
    found = [record.key for record in await everything(log)]
    assert found == wrote[: len(found)] == [str(n) for n in range(600)]


async def test_an_append_to_a_broker_that_hangs_is_an_unknown_outcome_and_the_next_writer_decides_it(
    broker: Broker, log: KafkaLog
) -> None:
    writer = await log.writer("newbook", TOPIC, 0)
    await writer.append(records("before"))
    broker.send(signal.SIGSTOP)
    with pytest.raises(OutcomeUnknown):
        await writer.append(records("unknown"))
    with pytest.raises(OutcomeUnknown, match="open another"):
        await writer.append(records("useless"))
    broker.send(signal.SIGCONT)
    following = await log.writer("newbook", TOPIC, 0)
    decided = await everything(log)
    await following.append(records("after"))
    keys = [record.key for record in await everything(log)]
    assert keys == [*[record.key for record in decided], "after"]
    assert keys in (["before", "after"], ["before", "unknown", "after"])


async def test_a_cancelled_append_writes_nothing_after_the_next_writer(broker: Broker, log: KafkaLog) -> None:
    writer = await log.writer("newbook", TOPIC, 0)
    broker.send(signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await writer.append(records("given up"))
    await writer.close()
    broker.send(signal.SIGCONT)
    await log.writer("newbook", TOPIC, 0)
    decided = await everything(log)
    assert await everything(log) == decided
    with pytest.raises(OutcomeUnknown):
        await writer.append(records("zombie"))


async def test_a_writer_suspended_past_its_transaction_timeout_is_fenced(log: KafkaLog) -> None:
    zombie = await log.writer("newbook", TOPIC, 0)
    await log.writer("newbook", TOPIC, 0)
    for _ in range(3):
        with pytest.raises(Fenced):
            await zombie.append(records("zombie"))
    assert await everything(log) == []


async def test_a_tail_reports_an_outage_and_continues_after_it(broker: Broker, log: KafkaLog) -> None:
    writer = await log.writer("newbook", TOPIC, 0)
    await writer.append(records("a"))
    tail = await log.tail(TOPIC, 0, 0)
    assert [record.key for record in await read(tail, 1)] == ["a"]
    broker.send(signal.SIGSTOP)
    with pytest.raises(LogFault, match="no broker has answered for 1 s"):
        await read(tail, 1)
    broker.send(signal.SIGCONT)
    await (await log.writer("newbook", TOPIC, 0)).append(records("b"))
    async with asyncio.timeout(30):
        assert [record.key for record in await read(tail, 1)] == ["b"]


async def test_a_waiting_tail_reports_no_outage(log: KafkaLog) -> None:
    tail = await log.tail(TOPIC, 0, 0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.5):  # longer than the silence that counts
            await tail.take(1)


async def test_requests_to_a_hanging_broker_time_out(broker: Broker) -> None:
    async with kafka_log(broker.address, TOPIC, ask_s=1.0) as log, asyncio.timeout(30):
        broker.send(signal.SIGSTOP)
        for question in (log.end(TOPIC, 0), log.start(TOPIC, 0), log.consumed("newbook", TOPIC, 0)):
            with pytest.raises(LogFault):
                await question
        with pytest.raises(LogFault):
            await log.writer("newbook", TOPIC, 0)


async def test_a_log_can_be_closed_while_its_broker_hangs(broker: Broker) -> None:
    async with kafka_log(broker.address, TOPIC, ask_s=2.0, session_s=1.0, rebalance_s=1.0) as log:
        floor = Floor(log)
        await floor.join("ann")
        writer = await log.writer("newbook", TOPIC, 0)
        tail = await log.tail(TOPIC, 0, 0)
        broker.send(signal.SIGSTOP)
        under_way = asyncio.ensure_future(writer.append([NewRecord("a", b"{}")]))
        taking = asyncio.ensure_future(tail.take(1))
        async with asyncio.timeout(20):
            await log.close()
        taking.cancel()
        await asyncio.gather(under_way, taking, return_exceptions=True)
        assert floor.owns == {"ann": set()}


async def test_messages_of_aiokafka_in_an_outage_are_a_few_lines(broker: Broker, log: KafkaLog) -> None:
    writer = await log.writer("newbook", TOPIC, 0)
    await writer.append(records("a"))
    with capture_logs() as lines:
        broker.kill()
        with pytest.raises(OutcomeUnknown):
            await writer.append(records("b"))
        await broker.again()
    shown = [line for line in lines if line["log_level"] != "debug"]
    assert len(shown) < 12, shown
