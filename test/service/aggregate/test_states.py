"""States are more than memory holds: the rest lies in a file, and every answer is right all the same."""

import asyncio
import threading
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path

import pytest
from support.counter_context import TALLY, Tally, totals
from support.faulty import FaultyLog, landed
from support.owners import Owners, ask, sent, sqlite_stores
from support.small_disk import tiny_disk

from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.aggregate.disposable_file import Unsaved
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.state_store import (
    NO_COMMANDS,
    NO_ENTRIES,
    IndexEntries,
    MemoryStateStore,
    Spilled,
    SqliteStateStore,
    Values,
)

CAPACITY = 10
KEYS = [f"tally-{n}" for n in range(1000)]


def snapshot(total: int) -> AggregateSnapshot[Tally]:
    return AggregateSnapshot(Tally(sum=total, said=1), 1)


class SlowStore(MemoryStateStore):
    """A store that saves when a test allows it."""

    def __init__(self) -> None:
        super().__init__()
        self.saving = threading.Event()
        self.go_on = threading.Event()

    def save(
        self,
        values: Values,
        offset: int,
        entries: IndexEntries = NO_ENTRIES,
        mark: str = "",
        spilled: Spilled = NO_COMMANDS,
    ) -> None:
        self.saving.set()
        assert self.go_on.wait(5)
        super().save(values, offset, entries, mark, spilled)


async def states(store: MemoryStateStore, thread: Executor | None = None) -> StateCache:
    made = StateCache(TALLY, store, thread, CAPACITY)
    await made.open("a log")
    return made


async def test_snapshots_stay_cached_while_they_are_stored(thread: Executor) -> None:
    store = SlowStore()
    found = await states(store, thread)
    await found.load(["a"])
    found.put("a", snapshot(1))
    storing = asyncio.ensure_future(found.flush(1))
    async with asyncio.timeout(30):
        await asyncio.to_thread(store.saving.wait, 5)
        assert found.get("a") == snapshot(1)
        found.put("a", snapshot(2))
        store.go_on.set()
        await storing
    assert found.get("a") == snapshot(2)


class Full(MemoryStateStore):
    """A store on a disk that may be full."""

    full, tries = True, 0

    def save(
        self,
        values: Values,
        offset: int,
        entries: IndexEntries = NO_ENTRIES,
        mark: str = "",
        spilled: Spilled = NO_COMMANDS,
    ) -> None:
        self.tries += 1
        if self.full:
            raise Unsaved
        super().save(values, offset, entries, mark, spilled)


async def test_a_failed_store_is_repeated_and_loses_no_snapshot() -> None:
    store = Full()
    found = await states(store)
    await found.load(["a"])
    found.put("a", snapshot(1))
    await found.flush(1)
    assert found.get("a") == snapshot(1)
    store.full = False
    await found.flush(1)
    assert list(store.load(["a"])) == ["a"]


async def test_storing_on_a_full_disk_is_retried_less_often_and_delays_no_command() -> None:
    store = Full()
    log = FaultyLog(MemoryLog(1))
    async with Owners(log, lambda _name: store, capacity=CAPACITY) as owners:
        host = await owners.host()
        for key in KEYS[:100]:
            assert (await ask(host, sent(key))).state.sum == 1
        assert 0 < store.tries < CAPACITY
        store.full = False
    assert len(store.load(KEYS)) == 100


async def test_lookups_of_unknown_keys_do_not_fill_the_cache() -> None:
    found = await states(MemoryStateStore())
    for key in KEYS:
        await found.load([key])
        assert found.get(key) == AggregateSnapshot(Tally())
    assert len(found) <= CAPACITY + 1


async def test_a_batch_larger_than_the_memory_is_held_while_it_is_worked_on() -> None:
    found = await states(MemoryStateStore())
    await found.load(KEYS)
    for key in KEYS:
        assert found.get(key) == AggregateSnapshot(Tally())


class CountedStore(MemoryStateStore):
    """A store that notes which keys were looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def load(self, keys: Iterable[str]) -> dict[str, bytes]:
        self.asked += keys
        return super().load(keys)


async def filled(store: MemoryStateStore) -> None:
    """Store a snapshot of each key."""
    found = await states(store)
    for number, key in enumerate(KEYS):
        await found.load([key])
        found.put(key, snapshot(number))
        await found.flush(number + 1)


async def test_new_keys_are_not_looked_up_although_others_are_stored() -> None:
    store = CountedStore()
    await filled(store)
    assert len(store.asked) < len(KEYS) // 10  # a few keys look like stored ones


async def test_after_a_start_every_stored_key_is_found_and_new_ones_are_soon_not_looked_up() -> None:
    store = CountedStore()
    await filled(store)
    found = await states(store)
    for number, key in enumerate(KEYS):
        await found.load([key, f"other-{number}"])
        assert found.get(key) == snapshot(number)
        assert found.get(f"other-{number}") == AggregateSnapshot(Tally())
    assert sum(key.startswith("other") for key in store.asked) < len(KEYS) // 10


async def test_after_a_reset_no_key_is_looked_up() -> None:
    store = CountedStore()
    await filled(store)
    found = await states(store)
    await found.reset()
    store.asked.clear()
    await found.load(KEYS)
    assert store.asked == []


async def test_the_least_recently_used_snapshot_is_evicted_first() -> None:
    store = CountedStore()
    await filled(store)
    found = await states(store)
    await found.load(KEYS[:CAPACITY])
    found.get(KEYS[0])
    await found.load(["another"])
    await found.load(["one more"])
    store.asked.clear()
    await found.load([KEYS[0]])
    assert store.asked == []
    await found.load([KEYS[1]])
    assert store.asked == [KEYS[1]]


async def test_a_thousand_aggregates_work_in_a_cache_of_ten(
    log: FaultyLog, tmp_path: Path, thread: Executor
) -> None:
    async with Owners(log, sqlite_stores(tmp_path / "small"), thread, CAPACITY) as owners:
        host = await owners.host()
        for turn in (1, 2):
            for start in range(0, len(KEYS), 50):
                some = KEYS[start : start + 50]
                async with asyncio.timeout(30):
                    answers = await asyncio.gather(*(host.ask(sent(key, fresh=turn == 1)) for key in some))
                assert [answer.state for answer in answers] == [Tally(sum=turn, said=turn)] * len(some)
        assert await totals(log) == dict.fromkeys(KEYS, 2)
        assert max(len(states) for states in owners.states) <= 2 * len(some)


async def test_a_retried_command_with_a_new_key_is_recognised(tmp_path: Path, thread: Executor) -> None:
    log = FaultyLog(MemoryLog(1))
    async with Owners(log, sqlite_stores(tmp_path), thread, 4) as owners:
        host = await owners.host()
        for turn in range(20):
            log.appends.append(landed)
            async with asyncio.timeout(30):
                await asyncio.gather(*(host.ask(sent(f"{turn}-{n}", fresh=True)) for n in range(8)))
    assert set((await totals(log)).values()) == {1}


def test_a_state_store_on_a_full_disk_keeps_its_content_and_continues_once_there_is_space(
    tmp_path: Path,
) -> None:
    with tiny_disk(tmp_path / "disk") as disk:
        store = SqliteStateStore(disk.path / "tally.sqlite")
        store.open("a log")
        store.save({"a": b"1"}, 1)
        disk.fill()
        with pytest.raises(Unsaved, match="full"):
            store.save({"a": b"2", "b": b"2" * 100_000}, 2)
        assert store.load(["a", "b"]) == {"a": b"1"}
        disk.relieve()
        store.save({"a": b"2"}, 2)
        store.close()
        store.open("a log")
        assert store.load(["a", "b"]) == {"a": b"2"}
        store.close()
