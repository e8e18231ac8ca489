"""What every storage does with the table sets of views."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import Connection, insert
from support.counter_context import VIEW, sums, tallies

from bookshelf.cqrs.view import Change, View
from bookshelf.storage import checkpoints, statements
from bookshelf.storage.checkpoints import Superseded
from bookshelf.storage.port import Storage, StorageFault, TableSet, TableSetStatus

SOURCE = "log/tallies"


def put(subject: str, total: int = 1) -> Change:
    return (insert(tallies), {"id": subject, "sum": total})


async def write(tables: TableSet, *subjects: str) -> None:
    await tables.write(lambda db: statements.run(db, [(None, [put(subject) for subject in subjects])]))


def _moved(db: Connection, at: int, change: Change) -> None:
    checkpoints.move(db, 0, at, at + 1)
    statements.run(db, [(None, [change])])


class StorageContract:
    """Inherit, and give a fixture `storage`."""

    async def test_a_new_table_set_is_empty(self, storage: Storage) -> None:
        tables = await storage.live(VIEW, SOURCE)
        assert await tables.read(sums) == {}
        assert await tables.read(checkpoints.checkpoints) == {}
        assert list(await tables.read(checkpoints.read_dead_letters)) == []

    async def test_written_rows_are_read(self, storage: Storage) -> None:
        tables = await storage.live(VIEW, SOURCE)
        await write(tables, "a", "b")
        assert await tables.read(sums) == {"a": 1, "b": 1}

    async def test_work_that_fails_changes_nothing(self, storage: Storage) -> None:
        tables = await storage.live(VIEW, SOURCE)

        def fails(db: Connection) -> None:
            statements.run(db, [(None, [put("a")])])
            checkpoints.move(db, 0, 0, 1)
            msg = "in the middle"
            raise ZeroDivisionError(msg)

        with pytest.raises(ZeroDivisionError):
            await tables.write(fails)
        assert (await tables.read(sums), await tables.read(checkpoints.checkpoints)) == ({}, {})
        await write(tables, "a")
        assert await tables.read(sums) == {"a": 1}

    async def test_a_fault_of_the_database_is_a_fault_of_the_port(self, storage: Storage) -> None:
        tables = await storage.live(VIEW, SOURCE)
        with pytest.raises(StorageFault, match="nowhere"):
            await tables.read(lambda db: db.exec_driver_sql("SELECT * FROM nowhere"))

    async def test_of_concurrent_writes_at_a_checkpoint_exactly_one_succeeds(self, storage: Storage) -> None:
        tables = await storage.live(VIEW, SOURCE)

        async def step(subject: str) -> None:
            while True:
                at = (await tables.read(checkpoints.checkpoints)).get(0, 0)
                try:
                    await tables.write(lambda db: _moved(db, at, put(subject)))  # noqa: B023 (awaited here)
                except Superseded:
                    continue
                return

        async with asyncio.timeout(20):
            await asyncio.gather(*(step(str(n)) for n in range(12)))
        assert await tables.read(checkpoints.checkpoints) == {0: 12}
        assert await tables.read(sums) == {str(n): 1 for n in range(12)}

    async def test_the_status_has_checkpoints_and_edits_by_operators(self, storage: Storage) -> None:
        tables = await storage.live(VIEW, SOURCE)
        assert await tables.look() == TableSetStatus({}, 0)
        await tables.write(lambda db: checkpoints.move(db, 3, 0, 5))
        await tables.write(checkpoints.edit)
        assert await tables.look() == TableSetStatus({3: 5}, 1)

    async def test_table_sets_have_unique_names(self, storage: Storage) -> None:
        made = [await storage.live(VIEW, SOURCE), await storage.beside(VIEW, SOURCE)]
        assert len({tables.name for tables in made}) == 2

    async def test_a_checkpoint_moves_by_compare_and_set(self, storage: Storage) -> None:
        tables = await storage.live(VIEW, SOURCE)
        await tables.write(lambda db: checkpoints.move(db, 3, 0, 5))
        await tables.write(lambda db: checkpoints.move(db, 3, 5, 9))
        for old in (0, 5, 8, 10):
            with pytest.raises(Superseded):
                await tables.write(lambda db, old=old: checkpoints.move(db, 3, old, 11))  # type: ignore[misc]
        assert await tables.read(checkpoints.checkpoints) == {3: 9}

    async def test_a_second_generation_has_its_own_rows(self, storage: Storage) -> None:
        live = await storage.live(VIEW, SOURCE)
        await write(live, "a")
        beside = await storage.beside(VIEW, SOURCE)
        assert await beside.read(sums) == {}
        await write(beside, "b")
        assert (await live.read(sums), await beside.read(sums)) == ({"a": 1}, {"b": 1})

    async def test_a_swap_lets_reads_of_the_former_generation_finish(self, storage: Storage) -> None:
        live = await storage.live(VIEW, SOURCE)
        await write(live, "a")
        beside = await storage.beside(VIEW, SOURCE)
        await write(beside, "b")
        async with asyncio.timeout(30):
            reading = [asyncio.ensure_future(live.read(sums)) for _ in range(5)]
            await asyncio.gather(*(asyncio.sleep(0) for _ in reading))  # sleep: they begin before the swap
            await storage.swap(VIEW, live, beside)
            assert await asyncio.gather(*reading) == [{"a": 1}] * 5
        await write(beside, "c")
        assert await beside.read(sums) == {"b": 1, "c": 1}

    async def test_views_are_independent(self, storage: Storage) -> None:
        one = await storage.live(VIEW, SOURCE)
        other = await storage.live(replace(VIEW, name="others"), SOURCE)
        await write(one, "a")
        assert await other.read(sums) == {}


class LastingContract:
    """For storages whose rows outlive them: give a fixture `again`, which opens the same place each time."""

    async def test_rows_survive_a_restart(self, storage: Storage, again: Storage) -> None:
        former = await storage.live(VIEW, SOURCE)
        await write(former, "a")
        await former.close()
        assert await (await again.live(VIEW, SOURCE)).read(sums) == {"a": 1}

    @pytest.mark.parametrize(
        ("view", "source"), [(replace(VIEW, version=2), SOURCE), (VIEW, "another/tallies")]
    )
    async def test_rows_of_another_version_or_log_are_not_continued(
        self, storage: Storage, again: Storage, view: View, source: str
    ) -> None:
        former = await storage.live(VIEW, SOURCE)
        await write(former, "a")
        await former.close()
        assert await (await again.live(view, source)).read(sums) == {}

    async def test_the_swapped_generation_stays_live(self, storage: Storage, again: Storage) -> None:
        live = await storage.live(VIEW, SOURCE)
        beside = await storage.beside(VIEW, SOURCE)
        await write(beside, "b")
        await storage.swap(VIEW, live, beside)
        await beside.close()
        assert await (await again.live(VIEW, SOURCE)).read(sums) == {"b": 1}

    async def test_an_unfinished_rebuild_is_dropped(self, storage: Storage, again: Storage) -> None:
        live = await storage.live(VIEW, SOURCE)
        await write(live, "a")
        beside = await storage.beside(VIEW, SOURCE)
        await write(beside, "b")
        await live.close()
        await beside.close()
        assert await (await again.live(VIEW, SOURCE)).read(sums) == {"a": 1}
