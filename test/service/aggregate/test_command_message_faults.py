"""Command messages under log faults, lost writers and moves: each is carried out and answered once."""

import asyncio
from collections.abc import Sequence

import pytest
from support.counter_commands import (
    DONE,
    ORDERED,
    REFUSED,
    answered,
    count_by_topic,
    replies,
    send,
    worked_through,
)
from support.counter_context import TOPIC, totals
from support.faulty import (
    Fault,
    FaultyLog,
    FaultyWriter,
    breaks,
    full,
    gate,
    hangs,
    landed,
    lands_and_hangs,
    lost,
)
from support.owners import Owners, ask_around, count, divided, keyed

from bookshelf.log.port import Consumed, Fenced, LogFault, NewRecord, Writer
from bookshelf.runtime.aggregate.host import AggregateHost

KEYS = [f"tally-{n}" for n in range(8)]


async def refuses(_writer: Writer, _records: Sequence[NewRecord]) -> Sequence[int]:
    """Nothing was written, for no reason of the records'."""
    msg = "not now"
    raise LogFault(msg)


async def all_done_once(log: FaultyLog, ids: Sequence[str]) -> None:
    """Return once all is worked through: each was answered once, and that it was done."""
    await worked_through(log)
    found = await replies(log)
    assert sorted(reply.causation for reply in found) == sorted(ids)
    assert {reply.type for reply in found} == {DONE}


@pytest.mark.parametrize("fault", [lost, landed, full, breaks, refuses])
async def test_after_a_fault_a_command_message_is_carried_out_and_answered_once(
    owners: Owners, log: FaultyLog, fault: Fault
) -> None:
    ids = [f"order-{n}" for n in range(4)]
    await send(log, *(count_by_topic("a", id=name) for name in ids))
    log.appends.append(fault)
    host = await owners.host(ORDERED)
    await all_done_once(log, ids)
    assert await totals(log) == {"a": 4}
    assert (await count(host, "a", 0)).state.sum == 4


@pytest.mark.parametrize("fault", [hangs, lands_and_hangs])
async def test_after_an_append_without_an_answer_a_command_message_is_carried_out_once(
    log: FaultyLog, fault: Fault
) -> None:
    await send(log, count_by_topic("a", id="x"))
    log.appends.append(fault)
    # a busy broker answers later: with less no later append would be in time either
    async with Owners(log, append_s=2.0) as owners:
        await owners.host(ORDERED)
        await all_done_once(log, ["x"])
    assert await totals(log) == {"a": 1}


@pytest.mark.parametrize("fault", [lost, landed, full, refuses])
async def test_an_outage_does_not_refuse_a_command_message(
    owners: Owners, log: FaultyLog, fault: Fault
) -> None:
    await send(log, count_by_topic("a", 1, id="x"), count_by_topic("a", 2, id="y"))
    log.appends.extend([fault] * 4)
    await owners.host(ORDERED)
    await all_done_once(log, ["x", "y"])
    assert await totals(log) == {"a": 3}


async def test_a_fenced_owner_continues_command_messages_at_the_consumed_offset(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host(ORDERED)
    await send(log, count_by_topic("a", id="x"))
    await answered(log, 1)
    where = host.partition("a")
    end = await log.consumed("tally", ORDERED.commands, where)
    other = await log.plain.writer("tally", TOPIC, where)
    await other.append([], Consumed(ORDERED.commands, where, end))
    await send(log, count_by_topic("a", id="y"))
    await all_done_once(log, ["x", "y"])
    with pytest.raises(Fenced):
        await other.append([count_by_topic("a")])
    assert await totals(log) == {"a": 2}


async def test_a_leaving_owner_completes_its_batch_and_the_next_owner_the_rest(
    owners: Owners, log: FaultyLog
) -> None:
    former = await owners.host(ORDERED)
    reached, opened = asyncio.Event(), asyncio.Event()
    log.appends.append(gate(reached, opened))
    await send(log, count_by_topic("a", id="x"))
    async with asyncio.timeout(30):
        await reached.wait()
        await send(log, count_by_topic("a", id="y"))
        leaving = asyncio.ensure_future(former.stop())
        following = asyncio.ensure_future(owners.host(ORDERED))
        opened.set()
        await asyncio.gather(leaving, following)
    await all_done_once(log, ["x", "y"])
    assert await totals(log) == {"a": 2}


async def client(hosts: list[AggregateHost], name: str) -> None:
    for n in range(16):
        await ask_around(hosts, keyed(KEYS[n % len(KEYS)], f"{name}-{n}"))


async def sender(log: FaultyLog, name: str, ids: list[str]) -> None:
    """Send every command message twice, like a sender without a confirmation of the first."""
    for n in range(16):
        key, order_id = KEYS[n % len(KEYS)], f"{name}-{n}"
        ids.append(order_id)
        await send(log, count_by_topic(key, id=order_id), name=name)
        await send(log, count_by_topic(key, id=order_id, replyto=""), name=name)


async def test_moves_under_command_messages_requests_and_faults_lose_and_double_nothing(
    owners: Owners, log: FaultyLog
) -> None:
    hosts, ids = [await owners.host(ORDERED)], list[str]()
    log.appends.extend([lost, landed] * 3)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for n in range(3):
            tasks.create_task(sender(log, f"sender-{n}", ids))
            tasks.create_task(client(hosts, f"client-{n}"))
        hosts.append(await owners.host(ORDERED))
        hosts.append(await owners.host(ORDERED))
        log.appends.extend([landed, lost] * 2)
        await hosts.pop(0).stop()
        hosts.append(await owners.host(ORDERED))
        await hosts.pop(0).stop()
    await divided(hosts, {0, 1, 2, 3})
    await all_done_once(log, ids)
    assert await totals(log) == dict.fromkeys(KEYS, 12)


class PickyLog(FaultyLog):
    """A log that takes no record with these bytes in it, and anything else."""

    def __init__(self, log: FaultyLog, *never: bytes) -> None:
        super().__init__(log.plain)
        self.never = never

    async def writer(self, name: str, topic: str, partition: int) -> "PickyWriter":
        return PickyWriter(self, await self.plain.writer(name, topic, partition))


class PickyWriter(FaultyWriter):
    """Its writer."""

    def __init__(self, log: PickyLog, writer: Writer) -> None:
        super().__init__(log, writer)
        self._never = log.never

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        if any(part in record.value for record in records for part in self._never):
            msg = "a record is larger than the topic takes"
            raise LogFault(msg)
        return await super().append(records, consumed)


async def test_a_poison_command_message_is_refused_and_delays_no_other(log: FaultyLog) -> None:
    picky = PickyLog(log, b'"by":13')
    orders = [count_by_topic("a", by, id=f"by-{by}") for by in (1, 13, 2, 13, 3)]
    await send(log, *orders)
    async with Owners(picky) as owners:
        host = await owners.host(ORDERED)
        assert (await count(host, "b")).state.sum == 1
        await worked_through(log)
    found = [(reply.causation, reply.type) for reply in await replies(log)]
    assert found == [
        ("by-1", DONE),
        ("by-13", REFUSED),
        ("by-2", DONE),
        ("by-13", REFUSED),
        ("by-3", DONE),
    ]
    assert await totals(log) == {"a": 6, "b": 1}


async def test_a_command_whose_answer_the_log_refuses_is_carried_out_without_it(log: FaultyLog) -> None:
    picky = PickyLog(log, b"done-x", b"refused-x")
    await send(log, count_by_topic("a", 4, id="x"), count_by_topic("a", 2, id="y"))
    async with Owners(picky) as owners:
        await owners.host(ORDERED)
        await all_done_once(log, ["y"])
    assert await totals(log) == {"a": 6}


class MissingTopics(FaultyLog):
    """A log that was not opened with the topics of answers; `missing` does not exist."""

    missing = "missing"

    def __init__(self, log: FaultyLog) -> None:
        super().__init__(log.plain)
        self.looked_up: list[str] = []

    async def look_up(self, topic: str) -> bool:
        self.looked_up.append(topic)
        return topic != self.missing


async def test_an_answer_to_a_missing_topic_is_left_out_and_the_topic_looked_up_once(log: FaultyLog) -> None:
    there = MissingTopics(log)
    await send(log, *(count_by_topic("a", id=f"x{n}", replyto="missing") for n in range(3)))
    await send(log, count_by_topic("a", id="y"))
    async with Owners(there) as owners:
        await owners.host(ORDERED)
        await all_done_once(log, ["y"])
        await send(log, count_by_topic("a", id="z", replyto="missing"))
        await worked_through(log)
    assert await totals(log) == {"a": 5}
    assert sorted(there.looked_up) == ["answers", "missing"]


async def test_a_command_message_whose_refusal_cannot_be_appended_is_skipped(log: FaultyLog) -> None:
    picky = PickyLog(log, b'"by":13', b"saga-13")
    await send(log, count_by_topic("a", 13, correlationid="saga-13"), count_by_topic("a", 2, id="x"))
    async with Owners(picky) as owners:
        await owners.host(ORDERED)
        await all_done_once(log, ["x"])
    assert await totals(log) == {"a": 2}
