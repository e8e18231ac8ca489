"""The shelf's queries give the same answers on PostgreSQL, MariaDB and SQLite for any log."""

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given, settings
from support import mariadb
from support.generated_logs import PARTITIONS, every_answer, filled, histories, hosts, searches
from support.postgres import Server

from bookshelf.cqrs.message import Event
from bookshelf.log.memory import MemoryLog
from bookshelf.storage.mariadb.address import is_mariadb
from bookshelf.storage.mariadb.storage import MariaDbStorage
from bookshelf.storage.postgres.storage import PostgresStorage
from bookshelf.storage.sqlite import MemoryStorage

_numbers = count()


async def compared(url: str, history: Sequence[tuple[str, Event]], queries: Sequence[str]) -> None:
    log = MemoryLog(PARTITIONS, identity=f"log-{next(_numbers)}")
    await filled(log, history)
    shared = MariaDbStorage if is_mariadb(url) else PostgresStorage
    sqlite, storage = MemoryStorage(), await shared.open(url)
    async with hosts(log, sqlite) as expected, hosts(log, storage) as found:
        assert await every_answer(found, queries) == await every_answer(expected, queries)
    await sqlite.close()
    await storage.close()


@pytest.mark.needs("postgres")
def test_any_log_gives_the_same_answers_on_postgresql(postgres_server: Server) -> None:
    async def examples() -> None:
        async with postgres_server.database() as name:
            await asyncio.to_thread(run, postgres_server.url(name))

    asyncio.run(examples())


@pytest.mark.needs("mariadb")
def test_any_log_gives_the_same_answers_on_mariadb(mariadb_server: mariadb.Server) -> None:
    with mariadb_server.database() as name:
        run(mariadb_server.url(name), max_examples=2)


def run(url: str, max_examples: int = 15) -> None:
    @settings(max_examples=max_examples, deadline=None)
    @given(histories, searches)
    def same(history: list[tuple[str, Event]], queries: list[str]) -> None:
        asyncio.run(compared(url, history, queries))

    same()
