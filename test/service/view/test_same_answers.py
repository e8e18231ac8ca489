"""The shelf's queries give the same answers on PostgreSQL, MariaDB and SQLite for any log."""

import asyncio

import pytest
from support import mariadb
from support.postgres import Server
from support.same_answers import compare_answers


@pytest.mark.needs("postgres")
def test_any_log_gives_the_same_answers_on_postgresql(postgres_server: Server) -> None:
    async def examples() -> None:
        async with postgres_server.database() as name:
            await asyncio.to_thread(compare_answers, postgres_server.url(name))

    asyncio.run(examples())


@pytest.mark.needs("mariadb")
def test_any_log_gives_the_same_answers_on_mariadb(mariadb_server: mariadb.Server) -> None:
    with mariadb_server.database() as name:
        compare_answers(mariadb_server.url(name), max_examples=2)
