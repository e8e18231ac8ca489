"""Rows whose file is damaged inside: whoever finds that out has them made again from the log."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.faulty import FaultyLog
from support.tally import counted, sums, totals, written
from support.views import Views, answer

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
    """Rows of a hundred tallies, damaged since; nobody has looked at them."""
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


async def test_who_asks_is_answered_by_what_takes_their_place(damaged: Views, log: FaultyLog) -> None:
    host = await damaged.host()
    assert await host.query(sums) == await totals(log)


async def test_what_is_written_then_is_in_them_and_nothing_is_parked(damaged: Views, log: FaultyLog) -> None:
    host = await damaged.host()
    former = host.rows
    await written(log, counted("1", 5))
    await former.superseded.wait()
    assert (await answer(host, log))["1"] == 6
    assert await host.query(sums) == await totals(log)
