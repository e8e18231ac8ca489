"""Rows in a damaged file: the view rebuilds them from the log when it detects the damage."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.counter_context import counted, sums, totals, written
from support.faulty import FaultyLog
from support.until import eventually
from support.views import DEADLINE_S, Views, answer

from bookshelf.cqrs.view import View
from bookshelf.storage.port import StorageFault, TableSet
from bookshelf.storage.sqlite import SqliteStorage

TABLE_AND_KEYS = ("tally", "sqlite_autoindex_tally_1")


def damage(folder: Path) -> None:
    """Overwrite the first page of the rows, and of their keys."""
    [path] = folder.rglob("*.sqlite")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(size,)] = db.execute("PRAGMA page_size").fetchall()
        pages = db.execute("SELECT rootpage FROM sqlite_master WHERE name IN (?, ?)", TABLE_AND_KEYS)
        places = [(page - 1) * size for (page,) in pages]
    db.close()
    content = bytearray(path.read_bytes())
    assert len(places) == 2
    for place in places:
        content[place : place + size] = bytes(size)
    path.write_bytes(content)


@pytest.fixture
async def damaged(log: FaultyLog, tmp_path: Path) -> AsyncIterator[Views]:
    """Rows of a hundred tallies, damaged and not read since."""
    await written(log, *(counted(f"{number}") for number in range(100)))
    storage = SqliteStorage(tmp_path)
    async with Views(log, storage) as before:
        assert len(await answer(await before.host(), log)) == 100
    await storage.close()
    damage(tmp_path)
    storage = SqliteStorage(tmp_path)
    async with Views(log, storage) as made:
        yield made
    await storage.close()


async def test_a_query_on_damaged_rows_is_answered_from_the_rebuilt_ones(
    damaged: Views, log: FaultyLog
) -> None:
    host = await damaged.host()
    assert await host.query(sums) == await totals(log)


async def test_rebuilt_rows_have_later_writes_and_no_dead_letters(damaged: Views, log: FaultyLog) -> None:
    host = await damaged.host()
    former = host.rows
    await written(log, counted("1", 5))
    await former.superseded.wait()
    assert (await answer(host, log))["1"] == 6
    assert await host.query(sums) == await totals(log)


class FailingStorage(SqliteStorage):
    """Storage in which no new set can be made the first `failures` times."""

    failures = 0

    async def beside(self, view: View, source: str) -> TableSet:
        if self.failures > 0:
            self.failures -= 1
            msg = "the disk is full"
            raise StorageFault(msg)
        return await super().beside(view, source)


@pytest.mark.parametrize("failures", [1, 3])
async def test_a_rebuild_that_fails_is_tried_again_and_readiness_reports_it_meanwhile(
    log: FaultyLog, tmp_path: Path, failures: int
) -> None:
    await written(log, *(counted(f"{number}") for number in range(100)))
    storage = FailingStorage(tmp_path)
    async with Views(log, storage) as before:
        assert len(await answer(await before.host(), log)) == 100
    await storage.close()
    damage(tmp_path)
    storage = FailingStorage(tmp_path)
    storage.failures = failures
    async with Views(log, storage) as views:
        host = await views.host()
        former, faults = host.rows, set()
        asking = asyncio.ensure_future(host.query(sums))
        async with asyncio.timeout(DEADLINE_S):
            while host.rows is former:
                faults.add(host.fault)
                await asyncio.sleep(0)  # sleep: between two looks at the fault
        await asyncio.wait({asking})  # answered, or refused after its patience
        assert faults == {None, "repair of tallies: the disk is full"}
        assert await host.query(sums) == await totals(log)

        async def is_ready() -> bool:
            return host.fault is None

        await eventually(is_ready, "the view is ready again")
    await storage.close()
