"""A database is awaited at the start; permanent faults are reported at once."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from contract.storage_contract import SOURCE
from support.counter_context import VIEW, sums
from support.postgres import ADMIN, ADMIN_PASSWORD, PASSWORD, USER, Server

from bookshelf.storage.port import StorageFault
from bookshelf.storage.postgres.storage import PostgresStorage

pytestmark = pytest.mark.needs("postgres")


async def test_a_start_waits_for_its_server() -> None:
    with tempfile.TemporaryDirectory(prefix="bookshelf-postgres-") as folder:
        server = Server(Path(folder))
        await asyncio.to_thread(server.make)
        address = server.url("postgres", ADMIN, ADMIN_PASSWORD)
        opening = asyncio.create_task(PostgresStorage.open(address, wait_s=30))
        try:
            await asyncio.to_thread(server.start)
            storage = await opening
            assert await (await storage.live(VIEW, SOURCE)).read(sums) == {}
            await storage.close()
        finally:
            server.stop()


async def test_a_password_of_any_characters_is_read_from_the_environment(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = "p@ss/w:rd %41?#&"
    monkeypatch.setenv("PGPASSWORD", word)
    async with postgres_server.database() as name:
        async with postgres_server.admin(name) as admin:
            await admin.execute(f"CREATE USER odd PASSWORD '{word}'; GRANT CREATE ON DATABASE {name} TO odd")
        with_none = postgres_server.url(name, "odd", "").replace(":@", "@")
        storage = await PostgresStorage.open(with_none, wait_s=5)
        try:
            assert await (await storage.live(VIEW, SOURCE)).read(sums) == {}
        finally:
            await storage.close()
            async with postgres_server.admin(name) as admin:
                await admin.execute("DROP OWNED BY odd CASCADE; DROP USER odd")


async def test_a_missing_server_ends_the_start_after_its_deadline() -> None:
    with pytest.raises(StorageFault, match=r"no PostgreSQL answers .* within 0\.3 s"):
        await PostgresStorage.open("postgresql://reader:x@127.0.0.1:1/nothing", wait_s=0.3)


@pytest.mark.parametrize(
    ("user", "password", "database", "said"),
    [
        (USER, "wrong", "postgres", "password authentication failed"),
        (USER, PASSWORD, "nowhere", 'database "nowhere" does not exist'),
        (USER, PASSWORD, "postgres", "permission denied for database postgres"),
    ],
)
async def test_a_permanent_fault_is_reported_at_once(
    postgres_server: Server, user: str, password: str, database: str, said: str
) -> None:
    async with postgres_server.database(), asyncio.timeout(30):  # with a database comes its user
        with pytest.raises(StorageFault, match=said):
            await PostgresStorage.open(postgres_server.url(database, user, password), wait_s=60)


@pytest.mark.parametrize("address", ["not an address", "mysql://x@y/z", "postgresql://x:notaport/z"])
async def test_an_invalid_address_is_reported_at_once(address: str) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(StorageFault, match="setting `storage`"):
            await PostgresStorage.open(address, wait_s=60)


async def test_a_database_that_cannot_store_all_characters_is_refused(postgres_server: Server) -> None:
    async with postgres_server.admin() as admin:
        await admin.execute("CREATE DATABASE narrow TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        try:
            address = postgres_server.url("narrow", ADMIN, ADMIN_PASSWORD)
            with pytest.raises(StorageFault, match="encoded in LATIN1"):
                await PostgresStorage.open(address)
        finally:
            await admin.execute("DROP DATABASE narrow WITH (FORCE)")
