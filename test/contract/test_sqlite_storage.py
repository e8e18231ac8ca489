"""Rows in SQLite files keep the contract; being derived from the log, damaged ones are made again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from contract.read_contract import ReadContract
from contract.storage_contract import SOURCE, LastingContract, StorageContract, write
from support.counter_context import VIEW, sums
from support.small_disk import tiny_disk

from bookshelf.storage.port import StorageFault
from bookshelf.storage.sqlite import SqliteStorage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "views"


@pytest.fixture
async def storage(folder: Path) -> AsyncIterator[SqliteStorage]:
    made = SqliteStorage(folder)
    yield made
    await made.close()


@pytest.fixture
async def again(folder: Path) -> AsyncIterator[SqliteStorage]:
    made = SqliteStorage(folder)
    yield made
    await made.close()


class TestSqliteStorage(StorageContract):
    """Table sets."""


class TestSqliteReads(ReadContract):
    """Many reads at once."""


class TestSqliteStorageLasts(LastingContract):
    """Restarts."""


@pytest.mark.parametrize("content", [b"", b"no database" * 1000], ids=["empty", "no database"])
async def test_a_file_that_is_not_a_table_set_is_created_again(
    storage: SqliteStorage, again: SqliteStorage, folder: Path, content: bytes
) -> None:
    former = await storage.live(VIEW, SOURCE)
    await write(former, "a")
    await former.close()
    [path] = (folder / VIEW.name).glob("*.sqlite")
    path.write_bytes(content)
    assert await (await again.live(VIEW, SOURCE)).read(sums) == {}


async def test_a_missing_file_of_a_table_set_is_created_again(
    storage: SqliteStorage, again: SqliteStorage, folder: Path
) -> None:
    former = await storage.live(VIEW, SOURCE)
    await former.close()
    for path in (folder / VIEW.name).glob("*.sqlite*"):
        path.unlink()
    assert await (await again.live(VIEW, SOURCE)).read(sums) == {}


async def test_a_swap_leaves_one_file(storage: SqliteStorage, folder: Path) -> None:
    live = await storage.live(VIEW, SOURCE)
    for _ in range(3):
        beside = await storage.beside(VIEW, SOURCE)
        await storage.swap(VIEW, live, beside)
        live = beside
    assert len(list((folder / VIEW.name).glob("*.sqlite"))) == 1
    await live.close()


async def test_a_full_disk_is_reported_and_writes_continue_once_there_is_space(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk") as disk:
        storage = SqliteStorage(disk.path / "views")
        tables = await storage.live(VIEW, SOURCE)
        await write(tables, "a")
        disk.fill()
        with pytest.raises(StorageFault):
            await write(tables, *(str(n) * 100 for n in range(1000)))
        assert await tables.read(sums) == {"a": 1}
        disk.relieve()
        await write(tables, "b")
        assert await tables.read(sums) == {"a": 1, "b": 1}
        await tables.close()
        await storage.close()
