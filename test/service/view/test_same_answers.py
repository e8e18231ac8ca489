"""The shelf's queries give the same answers on PostgreSQL and on SQLite for any log."""

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given, settings
from support.generated_logs import PARTITIONS, every_answer, filled, histories, hosts, searches
from support.postgres import Server

from bookshelf.cqrs.message import Event
from bookshelf.log.memory import MemoryLog
from bookshelf.storage.postgres.storage import PostgresStorage
from bookshelf.storage.sqlite import MemoryStorage

_numbers = count()


async def compared(url: str, history: Sequence[tuple[str, Event]], queries: Sequence[str]) -> None:
    log = MemoryLog(PARTITIONS, identity=f"log-{next(_numbers)}")
    await filled(log, history)
    sqlite, postgres = MemoryStorage(), await PostgresStorage.open(url)
    async with hosts(log, sqlite) as expected, hosts(log, postgres) as found:
        assert await every_answer(found, queries) == await every_answer(expected, queries)
    await sqlite.close()
    await postgres.close()


@pytest.mark.needs("postgres")
def test_any_log_gives_the_same_answers_on_every_storage(postgres_server: Server) -> None:
    async def examples() -> None:
        async with postgres_server.database() as name:
            await asyncio.to_thread(run, postgres_server.url(name))

    def run(url: str) -> None:
        @settings(max_examples=15, deadline=None)
        @given(histories, searches)
        def same(history: list[tuple[str, Event]], queries: list[str]) -> None:
            asyncio.run(compared(url, history, queries))

        same()

    asyncio.run(examples())
