"""An owner that begins again: from its stored states where they are good, from the log where they are not."""

import asyncio
import contextlib
import sqlite3
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.counter_context import TALLY, Tally, counted, everything, strange, written
from support.faulty import FaultyLog
from support.owners import Owners, ask, count, keyed, sqlite_stores

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.log.deduplicated import WINDOW
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import NewRecord, Record, Tail
from bookshelf.runtime.aggregate.command import NotOwner
from bookshelf.runtime.aggregate.state_store import MemoryStateStore, SqliteStateStore

KEYS = [f"tally-{n}" for n in range(500)]


class CountingLog(FaultyLog):
    """Notes from where on the log is read."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log)
        self.read_from: list[int] = []

    async def tail(self, topic: str, partition: int, offset: int) -> Tail:
        self.read_from.append(offset)
        return await super().tail(topic, partition, offset)


@pytest.fixture
def log() -> CountingLog:
    return CountingLog(MemoryLog(1))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "tally-0.sqlite"


@pytest.fixture
def owners(log: CountingLog, tmp_path: Path, thread: Executor) -> Owners:
    return Owners(log, sqlite_stores(tmp_path), thread)


async def counted_once(owners: Owners) -> None:
    """Live once: count every key up, and leave in order."""
    async with owners:
        host = await owners.host()
        for key in KEYS:
            await ask(host, keyed(key, f"{key}-first"))


async def all_is_known(owners: Owners) -> None:
    """Live again: every state and every key is still known, maybe after the owner has broken off once."""
    async with owners:
        host = await owners.host()
        with contextlib.suppress(NotOwner):  # nothing was written of it
            for key in KEYS:
                await ask(host, keyed(key, f"{key}-first"))
        async with asyncio.timeout(30):
            await host.served()
        for key in KEYS:
            assert (await ask(host, keyed(key, f"{key}-first"))).replayed
            assert (await count(host, key, 0)).state.sum == 1


async def test_a_restart_replays_only_new_records(owners: Owners, log: CountingLog) -> None:
    await written(log, *strange(WINDOW))  # what is read for repetitions alone
    await counted_once(owners)
    await all_is_known(owners)
    assert log.read_from == [0, len(KEYS)]


@pytest.mark.parametrize("content", [b"", b"this is no database" * 1000], ids=["empty", "no database"])
async def test_an_invalid_state_store_is_created_again(
    owners: Owners, log: CountingLog, store: Path, content: bytes
) -> None:
    await counted_once(owners)
    store.write_bytes(content)
    await all_is_known(owners)
    assert log.read_from == [0, 0]


@pytest.mark.parametrize("first", [2, -1], ids=["from the second page on", "in its last page"])
async def test_a_damaged_state_store_is_created_again(owners: Owners, store: Path, first: int) -> None:
    await counted_once(owners)
    size = store.stat().st_size
    with store.open("r+b") as file:
        file.seek(first * 4096, 0 if first > 0 else 2)
        file.write(b"\xff" * (size - file.tell()))
    await all_is_known(owners)


async def test_a_state_store_of_another_log_is_not_used(
    owners: Owners, tmp_path: Path, thread: Executor
) -> None:
    await counted_once(owners)
    other = CountingLog(MemoryLog(1, identity="another"))
    async with Owners(other, sqlite_stores(tmp_path), thread) as others:
        host = await others.host()
        assert (await count(host, KEYS[0])).state.sum == 1
    assert other.read_from == [0]


async def test_a_state_store_ahead_of_the_log_is_not_used(
    owners: Owners, tmp_path: Path, thread: Executor
) -> None:
    await counted_once(owners)
    restored = CountingLog(MemoryLog(1))
    async with Owners(restored, sqlite_stores(tmp_path), thread) as later:
        host = await later.host()
        assert (await count(host, KEYS[0])).state.sum == 1
    assert restored.read_from == [len(KEYS), 0]


async def test_a_state_store_of_a_restored_and_extended_log_is_not_used(
    owners: Owners, log: CountingLog, tmp_path: Path, thread: Executor
) -> None:
    await counted_once(owners)
    restored = CountingLog(MemoryLog(1))
    writer = await restored.writer("tally", "tallies", 0)
    kept = [NewRecord(record.key, record.value) for record in await everything(log)][:-1]
    await writer.append([*kept, *[counted(KEYS[0], by) for by in (5, 6, 7)]])
    async with Owners(restored, sqlite_stores(tmp_path), thread) as later:
        host = await later.host()
        assert (await count(host, KEYS[-1])).state.sum == 1
        assert (await count(host, KEYS[0])).state.sum == 20


async def test_a_state_store_without_a_digest_is_used_once_and_gets_one(owners: Owners, store: Path) -> None:
    await counted_once(owners)
    with contextlib.closing(sqlite3.connect(store)) as db, db:
        db.execute("DELETE FROM about WHERE name = 'mark'")
    await all_is_known(owners)
    with contextlib.closing(sqlite3.connect(store)) as db:
        [mark] = db.execute("SELECT value FROM about WHERE name = 'mark'").fetchone()
    assert mark.startswith(f"{len(KEYS) - 1}:")


async def test_a_state_store_of_another_release_is_created_again(owners: Owners, store: Path) -> None:
    await counted_once(owners)
    former = SqliteStateStore(store)
    with contextlib.closing(sqlite3.connect(store)) as db:
        [source] = db.execute("SELECT value FROM about WHERE name = 'source'").fetchone()
    offset, count = former.open(source)
    assert (offset, count) == (len(KEYS), 1)
    former.save(dict.fromkeys(KEYS, b"\x93\xa3old\x00\x90"), offset)
    former.close()
    await all_is_known(owners)


class Wider(Tally, frozen=True):
    """A state of a later release, that has more in it."""

    most: int = 0


@pytest.mark.parametrize(
    "later", [replace(TALLY, version=2), replace(TALLY, initial=Wider())], ids=["another version", "shape"]
)
async def test_states_of_another_release_are_rebuilt(
    owners: Owners, log: CountingLog, later: Aggregate[Any]
) -> None:
    await counted_once(owners)
    async with owners:
        assert (await count(await owners.host(later), KEYS[0])).state.sum == 2
    assert log.read_from == [0, 0]


async def test_records_are_read_in_their_order(log: CountingLog, owners: Owners) -> None:
    await counted_once(owners)
    tail = await log.tail("tallies", 0, 0)
    found: list[Record] = []
    while len(found) < len(KEYS):
        found += await tail.take(100)
    assert [record.key for record in found] == KEYS


class FullStore(MemoryStateStore):
    """A store on a disk without space."""

    # the port's signature
    def save(self, *_values: object, **_more: object) -> None:
        msg = "database or disk is full"
        raise OSError(msg)


async def test_an_owner_that_cannot_store_its_states_still_stops(log: CountingLog) -> None:
    async with Owners(log, lambda _name: FullStore()) as owners:
        host = await owners.host()
        assert (await count(host, "a")).state.sum == 1
    async with Owners(log) as later:
        assert (await count(await later.host(), "a")).state.sum == 2


async def test_a_duplicate_record_is_applied_once(owners: Owners, log: CountingLog) -> None:
    one = counted("a", 1)
    await written(log, one, counted("a", 2), one)
    async with owners:
        assert (await count(await owners.host(), "a", 10)).state.sum == 13
    ours = (await everything(log))[-1]
    await written(log, one, NewRecord(ours.key, ours.value))
    async with owners:
        assert (await count(await owners.host(), "a", 0)).state.sum == 13
