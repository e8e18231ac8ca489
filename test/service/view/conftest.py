"""Every test of views runs over every storage."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.faulty import FaultyLog
from support.instances import PARTITIONS, Shared, split
from support.postgres import Server
from support.views import Views

from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.view.host import ViewHost
from bookshelf.storage.mariadb.storage import MariaDbStorage
from bookshelf.storage.port import Storage
from bookshelf.storage.postgres.storage import PostgresStorage
from bookshelf.storage.sqlite import MemoryStorage, SqliteStorage

if TYPE_CHECKING:
    from support import mariadb


@pytest.fixture
def log() -> FaultyLog:
    return FaultyLog(MemoryLog(2))


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.needs("postgres")),
        pytest.param("mariadb", marks=pytest.mark.needs("mariadb")),
    ]
)
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    async with AsyncExitStack() as stack:
        made: Storage
        if request.param == "memory":
            made = MemoryStorage()
        elif request.param == "sqlite":
            made = SqliteStorage(tmp_path / "views")
        elif request.param == "mariadb":
            maria: mariadb.Server = request.getfixturevalue("mariadb_server")
            made = await MariaDbStorage.open(maria.url(stack.enter_context(maria.database())))
        else:
            server: Server = request.getfixturevalue("postgres_server")
            made = await PostgresStorage.open(server.url(await stack.enter_async_context(server.database())))
        stack.push_async_callback(made.close)
        yield made


@pytest.fixture
async def shared(postgres_server: Server) -> AsyncIterator[Shared]:
    """A PostgreSQL database for several instances, over a log of their own."""
    async with postgres_server.database() as name:
        yield Shared(postgres_server, name, MemoryLog(PARTITIONS))


@pytest.fixture
async def pair(shared: Shared) -> AsyncIterator[tuple[ViewHost, ViewHost]]:
    """Two instances that have divided the partitions."""
    async with shared.instance() as one, shared.instance() as other:
        await split(one, other)
        yield one, other


@pytest.fixture
async def views(log: FaultyLog, storage: Storage) -> AsyncIterator[Views]:
    async with Views(log, storage) as made:
        yield made
