"""What an owner keeps in memory is bounded in bytes: states, pending events, commands that wait."""

import asyncio
from typing import Any

import pytest
from support.counter_commands import ORDERED, count_by_topic
from support.counter_context import TALLY, Count, Tally
from support.faulty import FaultyLog
from support.fixed_infrastructure import CountedIds, FixedClock
from support.owners import Owners, ask, sent

from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Record
from bookshelf.runtime.aggregate.batch import PENDING_BYTES
from bookshelf.runtime.aggregate.command import Busy, CommandHandler, CommandRequest
from bookshelf.runtime.aggregate.command_messages import CommandMessageDecoder
from bookshelf.runtime.aggregate.command_queue import CAPACITY_BYTES, SHARE_BYTES, CommandQueue, Room
from bookshelf.runtime.aggregate.replay import PendingEvents
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot, CompletedCommand, SnapshotFold, memory_of
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.state_store import MemoryStateStore

CACHED_BYTES = 1 << 20


def heavy(number: int) -> AggregateSnapshot[Tally]:
    """Return what is held of an aggregate with many completed commands: about 25 kB."""
    done = tuple(CompletedCommand(f"command {number} {n}", "hash", n, n) for n in range(64))
    return AggregateSnapshot(Tally(sum=number), number, done)


async def states() -> StateCache:
    made = StateCache(TALLY, MemoryStateStore(), None, capacity_bytes=CACHED_BYTES)
    await made.open("a log")
    return made


def test_the_size_of_a_snapshot_counts_its_texts_and_commands() -> None:
    snapshot: AggregateSnapshot[Any] = AggregateSnapshot(
        ("text" * 1000, None, ["\N{BOOKS}" * 1000], {"key": b"1" * 1000})
    )
    assert 4000 + 4000 + 1000 < memory_of(snapshot) < 12_000
    assert memory_of(heavy(1)) > 64 * 300


async def test_snapshots_are_evicted_by_bytes_and_read_back_from_the_store() -> None:
    found = await states()
    for number in range(200):
        key = f"tally-{number}"
        await found.load([key])
        found.put(key, heavy(number), 100)
        await found.flush(number)
    assert memory_of(heavy(0)) * len(found) <= CACHED_BYTES
    assert len(found) > 20
    for number in range(200):
        await found.load([f"tally-{number}"])
        assert found.get(f"tally-{number}") == heavy(number)


async def test_snapshots_are_stored_once_changes_reach_a_quarter_of_the_bytes() -> None:
    found = await states()
    await found.load(["tally"])
    for number in range(4):
        assert not found.full
        found.put("tally", AggregateSnapshot(Tally(sum=number)), CACHED_BYTES // 16)
    assert found.full
    await found.flush(4)
    assert not found.full


async def test_a_changed_large_snapshot_counts_with_its_whole_size() -> None:
    found = await states()
    keys = [f"tally-{number}" for number in range(12)]
    await found.load(keys)
    for key in keys:
        found.put(key, heavy(1), 100)
    await found.flush(1)
    assert not found.full
    for key in keys:
        found.put(key, heavy(2), 100)
    assert found.full


def test_pending_events_are_counted_until_they_are_read_back() -> None:
    found = StateCache(TALLY, MemoryStateStore(), None)
    found.fresh(["a"])
    pending, judge = PendingEvents(SnapshotFold(TALLY), found), CommandHandler(TALLY, CountedIds())
    said = judge.decide(pending.head("a"), sent("a")) or []
    pending.add("a", said)
    size = pending.pending_bytes
    assert said[0].size == len(said[0].value) < size
    pending.settle("a", {said[0].envelope.id: 0})
    assert pending.pending_bytes == size
    pending.read_back(Record("tallies", 0, 0, "a", said[0].value))
    assert pending.pending_bytes == 0
    pending.add("a", judge.decide(pending.head("a"), sent("a")) or [])
    assert pending.pending_bytes == size
    pending.drop_unsettled()
    assert pending.pending_bytes == 0
    pending.add("a", judge.decide(pending.head("a"), sent("a")) or [])
    pending.clear()
    assert pending.pending_bytes == 0


def wanted(size: int) -> CommandRequest:
    return sent("a", size=size)


async def test_queued_commands_of_all_partitions_share_a_limit_in_bytes() -> None:
    room = Room()
    first, second = CommandQueue(0, room), CommandQueue(1, room)
    first.put(wanted(CAPACITY_BYTES - 1))
    with pytest.raises(Busy):
        first.put(wanted(SHARE_BYTES))
    second.put(wanted(SHARE_BYTES))  # each partition has a share of its own
    with pytest.raises(Busy):
        second.put(wanted(SHARE_BYTES))


async def test_the_bytes_of_a_batch_count_until_it_is_done() -> None:
    room = Room()
    box = CommandQueue(0, room)
    box.put(wanted(CAPACITY_BYTES))
    [queued] = await box.take()
    with pytest.raises(Busy):
        box.put(wanted(1))
    box.put_back([queued], tried=True)
    assert room.used == CAPACITY_BYTES
    [queued] = await box.take()
    queued.answer.cancel()
    box.close()
    assert await box.take() == []
    assert room.used == 0


async def test_refused_commands_free_their_bytes() -> None:
    room = Room()
    box = CommandQueue(0, room)
    answer = box.put(wanted(CAPACITY_BYTES))
    box.reject_all()
    assert room.used == 0
    assert answer.exception() is not None


async def test_a_command_by_topic_counts_with_the_bytes_of_its_record() -> None:
    record = count_by_topic("a")
    orders = CommandMessageDecoder(ORDERED, 1, FixedClock())
    for value in (record.value, b"no command" * 100, record.value.replace(b"test.count", b"test.other")):
        read, arrived = orders.read(Record("commands", 0, 0, "a", value))
        assert read.size == len(value)
        room = Room()
        CommandQueue(0, room).put_together([(read, arrived)])
        assert room.used == len(value)


async def test_a_batch_waits_until_enough_of_the_pending_events_were_read_back() -> None:
    log = FaultyLog(MemoryLog(1))
    async with Owners(log) as owners:
        host = await owners.host()
        log.readable.clear()
        await ask(host, sent("a", Count(times=PENDING_BYTES // 500)))
        batches, answer = len(log.batches), host.ask(sent("a"))
        for _ in range(100):
            await asyncio.sleep(0)  # sleep: turns of the loop, in which it would be appended
        assert len(log.batches) == batches
        log.readable.set()
        async with asyncio.timeout(30):
            assert (await answer).state.said == PENDING_BYTES // 500 + 1
        assert len(log.batches) == batches + 1
