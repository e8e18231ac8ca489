"""Rows in a real PostgreSQL keep the contract that memory and SQLite keep."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from contract.opened_storage import opened
from contract.read_contract import ReadContract
from contract.storage_contract import SOURCE, LastingContract, StorageContract, write
from support.counter_context import VIEW, sums
from support.postgres import Server

from bookshelf.cli.instance import open_storage
from bookshelf.config import Network
from bookshelf.services import SERVICES
from bookshelf.storage.postgres.settings import PostgresSettings
from bookshelf.storage.postgres.storage import PostgresStorage

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture
async def url(postgres_server: Server) -> AsyncIterator[str]:
    async with postgres_server.database() as name:
        yield postgres_server.url(name)


storage = opened(PostgresStorage.open)
again = opened(PostgresStorage.open)


class TestPostgresStorage(StorageContract):
    """Table sets."""


class TestPostgresReads(ReadContract):
    """Many reads at once."""


class TestPostgresStorageLasts(LastingContract):
    """Restarts."""


async def test_the_setting_selects_the_storage(url: str, storage: PostgresStorage, tmp_path: Path) -> None:
    live = await storage.live(VIEW, SOURCE)
    await write(live, "a")
    async with AsyncExitStack() as stack:
        opened = await open_storage(Network(storage=PostgresSettings(url=url)), tmp_path, stack)
        assert await (await opened.live(VIEW, SOURCE)).read(sums) == {"a": 1}
        local = await open_storage(Network(), tmp_path, stack)
        tables = await local.live(VIEW, SOURCE)
        assert await tables.read(sums) == {}
        await tables.close()


async def test_every_text_of_every_view_is_compared_by_code_point(
    postgres_server: Server, storage: PostgresStorage, url: str
) -> None:
    for service in SERVICES:
        for view in service.views:
            await storage.live(view, SOURCE)
    async with postgres_server.admin(url.rpartition("/")[2]) as admin:
        columns = await admin.fetch(
            "SELECT table_name, column_name, collation_name FROM information_schema.columns"
            " WHERE table_schema LIKE 'bookshelf%' AND data_type IN ('text', 'character varying')"
        )
    assert columns
    assert [tuple(column) for column in columns if column["collation_name"] != "C"] == []
