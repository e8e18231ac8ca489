"""The shelf's queries on a shared database and on SQLite, compared for logs that hypothesis makes."""

import asyncio
from collections.abc import Sequence
from itertools import count

from hypothesis import given, settings
from support.generated_logs import PARTITIONS, every_answer, filled, histories, hosts, searches

from bookshelf.cqrs.message import Event
from bookshelf.log.memory import MemoryLog
from bookshelf.storage.mariadb.address import is_mariadb
from bookshelf.storage.mariadb.storage import MariaDbStorage
from bookshelf.storage.postgres.storage import PostgresStorage
from bookshelf.storage.sqlite import MemoryStorage

_numbers = count()


async def _compared(url: str, history: Sequence[tuple[str, Event]], queries: Sequence[str]) -> None:
    log = MemoryLog(PARTITIONS, identity=f"log-{next(_numbers)}")
    await filled(log, history)
    shared = MariaDbStorage if is_mariadb(url) else PostgresStorage
    sqlite, storage = MemoryStorage(), await shared.open(url)
    async with hosts(log, sqlite) as expected, hosts(log, storage) as found:
        assert await every_answer(found, queries) == await every_answer(expected, queries)
    await sqlite.close()
    await storage.close()


def compare_answers(url: str, max_examples: int = 15) -> None:
    """Compare the answers of every query for some logs."""

    @settings(max_examples=max_examples, deadline=None)
    @given(histories, searches)
    def same(history: list[tuple[str, Event]], queries: list[str]) -> None:
        asyncio.run(_compared(url, history, queries))

    same()
