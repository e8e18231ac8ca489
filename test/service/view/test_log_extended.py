"""A log that was restored to an earlier point and then extended: the rows are made again of what it has."""

import pytest
from sqlalchemy import text
from support.counter_context import TOPIC, VIEW, counted, sums, written
from support.faulty import FaultyLog
from support.views import Views, answer, caught_up

from bookshelf.log.memory import MemoryLog
from bookshelf.storage.port import Storage
from bookshelf.storage.shared.tables import SharedTables

#: Storages whose rows outlive a host; those in memory do not.
KEPT = pytest.mark.parametrize(
    "storage", ["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))], indirect=True
)


async def extended(others: int) -> FaultyLog:
    """Return a log of the same identity that has lost its third record, and has `others` in its place."""
    log = FaultyLog(MemoryLog(2))
    await written(log, counted("a", 1), counted("b", 2), *[counted("c", 10) for _ in range(others)])
    return log


@KEPT
@pytest.mark.parametrize("others", [1, 5])
async def test_rows_of_a_restored_and_extended_log_are_rebuilt(
    log: FaultyLog, storage: Storage, others: int
) -> None:
    async with Views(log, storage) as before:
        host = await before.host()
        await written(log, counted("a", 1), counted("b", 2), counted("lost", 3))
        assert await answer(host, log) == {"a": 1, "b": 2, "lost": 3}
    restored = await extended(others)
    async with Views(restored, storage) as after:
        host = await after.host()
        assert await host.query(sums) == {"a": 1, "b": 2, "c": 10 * others}


@KEPT
async def test_checkpoints_without_a_digest_are_accepted_once_and_get_one(
    log: FaultyLog, storage: Storage
) -> None:
    async with Views(log, storage) as before:
        host = await before.host()
        await written(log, counted("a", 1))
        await caught_up(host, log)
        tables = host.rows.tables
        schema = f"{tables.schemas[None]}." if isinstance(tables, SharedTables) else ""
        drop = text(f"ALTER TABLE {schema}bookshelf_checkpoint DROP COLUMN mark")
        await before.stop()
        other = await storage.live(VIEW, f"{log.identity}/{TOPIC}")
        await other.write(lambda db: db.execute(drop))
        await other.close()
    async with Views(log, storage) as after:
        host = await after.host()
        assert await host.query(sums) == {"a": 1}
        assert (await host.rows.tables.look()).marks[0].startswith("0:")
    restored = FaultyLog(MemoryLog(2))
    await written(restored, counted("c", 1))
    async with Views(restored, storage) as later:
        assert await (await later.host()).query(sums) == {"c": 1}
