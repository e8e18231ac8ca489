"""Rows in a real MariaDB keep the contract that memory, SQLite and PostgreSQL keep."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from contract.opened_storage import opened
from contract.read_contract import ReadContract
from contract.storage_contract import SOURCE, LastingContract, StorageContract, write
from sqlalchemy import Connection, text
from support.counter_context import VIEW, sums
from support.kafka import HOST, free_ports
from support.mariadb import Server

from bookshelf.cli.instance import open_storage
from bookshelf.config import Network
from bookshelf.services import SERVICES
from bookshelf.storage.mariadb.storage import MariaDbStorage
from bookshelf.storage.postgres.settings import PostgresSettings

pytestmark = pytest.mark.needs("mariadb")


@pytest.fixture
def url(mariadb_server: Server) -> Iterator[str]:
    with mariadb_server.database() as name:
        yield mariadb_server.url(name)


storage = opened(MariaDbStorage.open)
again = opened(MariaDbStorage.open)


class TestMariaDbStorage(StorageContract):
    """Table sets."""


class TestMariaDbReads(ReadContract):
    """Many reads at once."""


class TestMariaDbStorageLasts(LastingContract):
    """Restarts."""


async def test_the_setting_selects_mariadb(url: str, storage: MariaDbStorage, tmp_path: Path) -> None:
    live = await storage.live(VIEW, SOURCE)
    await write(live, "a")
    async with AsyncExitStack() as stack:
        opened = await open_storage(Network(storage=PostgresSettings(url=url)), tmp_path, stack)
        assert await (await opened.live(VIEW, SOURCE)).read(sums) == {"a": 1}


async def test_the_next_address_is_used_if_one_does_not_answer(url: str) -> None:
    [silent] = free_ports(1)
    several = url.replace("@", f"@{HOST}:{silent},{HOST}:{silent},")
    storage = await MariaDbStorage.open(several)
    tables = await storage.live(VIEW, SOURCE)
    await write(tables, "a")
    assert await tables.read(sums) == {"a": 1}
    await storage.close()


async def test_texts_of_views_are_compared_by_code_point_and_keep_every_letter(
    mariadb_server: Server, storage: MariaDbStorage, url: str
) -> None:
    for service in SERVICES:
        for view in service.views:
            await storage.live(view, SOURCE)
    name = url.rpartition("/")[2]
    columns = mariadb_server.run(
        "SELECT table_schema, table_name, column_name, collation_name FROM information_schema.columns"  # noqa: S608 (a name of our own)
        f" WHERE table_schema LIKE '{name}%' AND collation_name IS NOT NULL"
    ).splitlines()
    assert columns
    assert [line for line in columns if not line.endswith("\tutf8mb4_nopad_bin")] == []
    tables = await storage.live(VIEW, SOURCE)
    texts = ["a", "A", "a ", "\u00e4", "\U0001f4da", "\ufb01"]
    await write(tables, *texts)
    assert await tables.read(sums) == dict.fromkeys(texts, 1)


@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=pytest.mark.slow)])
async def test_no_read_gets_rows_of_one_that_was_cancelled(storage: MariaDbStorage, count: int) -> None:
    database = storage.database
    cancelled = 0

    async def ask(number: int) -> int:
        def work(db: Connection) -> int:
            return int(db.scalar(text(f"SELECT {number} + SLEEP(0.002)")) or 0)

        return await database.run(database.reading, work)

    async def cancel(number: int) -> None:
        nonlocal cancelled
        asking = asyncio.create_task(ask(number))
        await asyncio.sleep(number % 10 / 1_000)  # sleep: before, in and after the statement
        asking.cancel()
        [ended] = await asyncio.gather(asking, return_exceptions=True)
        cancelled += isinstance(ended, asyncio.CancelledError)
        assert await ask(-number) == -number

    async def several(first: int) -> None:
        for number in range(first, count, 6):
            await cancel(number)

    async with asyncio.TaskGroup() as tasks:
        for first in range(6):
            tasks.create_task(several(first))
    assert cancelled > count / 10
