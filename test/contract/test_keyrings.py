"""Keyrings in memory, in SQLite, PostgreSQL and MariaDB keep one contract; what a destroyed key leaves."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from contract.keyring_contract import SECRET, KeyringContract
from support import mariadb
from support.fixed_infrastructure import FixedClock
from support.postgres import Server

from bookshelf.keyring.keyring import Keyring
from bookshelf.keyring.mariadb import MariaDbKeyTable
from bookshelf.keyring.memory import MemoryKeyTable
from bookshelf.keyring.port import KeyringFault
from bookshelf.keyring.postgres import PostgresKeyTable
from bookshelf.keyring.sqlite import SqliteKeyTable
from bookshelf.storage.mariadb.nodes import keyring_place


class TestMemoryKeyring(KeyringContract):
    """In memory."""

    @pytest.fixture
    def table(self) -> MemoryKeyTable:
        return MemoryKeyTable()

    @pytest.fixture
    def other(self, table: MemoryKeyTable) -> MemoryKeyTable:
        return table


class TestSqliteKeyring(KeyringContract):
    """In a file that two processes use."""

    @pytest.fixture
    async def table(self, tmp_path: Path) -> AsyncIterator[SqliteKeyTable]:
        made = await SqliteKeyTable.open(tmp_path / "keyring.sqlite")
        yield made
        await made.close()

    @pytest.fixture
    async def other(self, tmp_path: Path) -> AsyncIterator[SqliteKeyTable]:
        made = await SqliteKeyTable.open(tmp_path / "keyring.sqlite")
        yield made
        await made.close()


@pytest.mark.needs("postgres")
class TestPostgresKeyring(KeyringContract):
    """In a database that two instances share."""

    @pytest.fixture
    async def url(self, postgres_server: Server) -> AsyncIterator[str]:
        async with postgres_server.database() as name:
            yield postgres_server.url(name)

    @pytest.fixture
    async def table(self, url: str) -> AsyncIterator[PostgresKeyTable]:
        made = await PostgresKeyTable.open(url)
        yield made
        await made.close()

    @pytest.fixture
    async def other(self, url: str) -> AsyncIterator[PostgresKeyTable]:
        made = await PostgresKeyTable.open(url)
        yield made
        await made.close()


@pytest.mark.needs("mariadb")
class TestMariaDbKeyring(KeyringContract):
    """In a MariaDB that two instances share."""

    @pytest.fixture
    def url(self, mariadb_server: mariadb.Server) -> Iterator[str]:
        with mariadb_server.flushing(), mariadb_server.database() as name:
            yield mariadb_server.url(name)

    @pytest.fixture
    async def table(self, url: str) -> AsyncIterator[MariaDbKeyTable]:
        made = await MariaDbKeyTable.open(*keyring_place(url))
        yield made
        await made.close()

    @pytest.fixture
    async def other(self, url: str) -> AsyncIterator[MariaDbKeyTable]:
        made = await MariaDbKeyTable.open(*keyring_place(url))
        yield made
        await made.close()

    async def test_a_lost_connection_is_made_again(
        self, mariadb_server: mariadb.Server, table: MariaDbKeyTable
    ) -> None:
        keyring = Keyring(table, SECRET, FixedClock().now)
        made = await keyring.make("a-1")
        mariadb_server.run(f"KILL USER '{mariadb.USER}'")
        assert await keyring.find("a-1") == made

    async def test_an_id_that_is_too_long_is_refused(self, table: MariaDbKeyTable) -> None:
        keyring = Keyring(table, SECRET, FixedClock().now)
        with pytest.raises(KeyringFault, match="Data too long"):
            await keyring.make("a" * 256)
        assert await keyring.ids("a") == []


@pytest.mark.needs("mariadb")
async def test_a_mariadb_that_may_lose_what_it_committed_is_refused(mariadb_server: mariadb.Server) -> None:
    with mariadb_server.database() as name, pytest.raises(KeyringFault, match="flush_log_at_trx_commit=0"):
        await MariaDbKeyTable.open(*keyring_place(mariadb_server.url(name)))


async def test_a_mariadb_that_does_not_answer_is_named() -> None:
    with pytest.raises(KeyringFault, match="keyring in MariaDB"):
        await MariaDbKeyTable.open(*keyring_place("mariadb://reader:a@127.0.0.1:1/none"))


async def test_a_destroyed_key_is_in_no_file(tmp_path: Path) -> None:
    table = await SqliteKeyTable.open(tmp_path / "keyring.sqlite")
    keyring = await Keyring.open(table, SECRET, FixedClock().now)
    await keyring.make("a-1")
    stored = await table.get("a-1")
    assert stored is not None
    assert stored.wrapped is not None
    assert any(stored.wrapped in path.read_bytes() for path in tmp_path.iterdir())
    await keyring.destroy("a-1")
    assert not any(stored.wrapped in path.read_bytes() for path in tmp_path.iterdir())
    await table.close()


async def test_the_file_is_readable_by_its_user_only(tmp_path: Path) -> None:
    await (await SqliteKeyTable.open(tmp_path / "keyring.sqlite")).close()
    assert (tmp_path / "keyring.sqlite").stat().st_mode & 0o777 == 0o600


async def test_a_file_that_is_no_keyring_is_named(tmp_path: Path) -> None:
    (tmp_path / "keyring.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(KeyringFault, match=r"keyring\.sqlite cannot be used"):
        await SqliteKeyTable.open(tmp_path / "keyring.sqlite")


async def test_a_reader_that_keeps_a_destroyed_key_in_the_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "keyring.sqlite"
    table = await SqliteKeyTable.open(path, wait_s=0.0)
    keyring = await Keyring.open(table, SECRET, FixedClock().now)
    await keyring.make("a-1")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM key").fetchall()
        with pytest.raises(KeyringFault, match="still in its -wal file"):
            await keyring.destroy("a-1")
        reader.execute("COMMIT")
    await keyring.destroy("a-1")
    await table.close()


async def test_a_postgresql_that_does_not_answer_is_named() -> None:
    with pytest.raises(KeyringFault, match="keyring in PostgreSQL"):
        await PostgresKeyTable.open("postgresql://reader@127.0.0.1:1/none")
