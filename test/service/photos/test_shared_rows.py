"""`bookshelf photos verify --broker` compares the rows of the timelines in a database, and changes none."""

import pytest
from sqlalchemy import select
from support import mariadb, postgres
from support.counter_context import everything
from support.photo_site import ANN, BOB, CALLERS, PhotoSite

from bookshelf.cli.instance import shared_storage
from bookshelf.cli.photo_recount import read_shared_rows
from bookshelf.log.memory import MemoryLog
from bookshelf.photos.events import TOPIC
from bookshelf.photos.recount import PhotoRecount
from bookshelf.photos.timelines.tables import photos


async def check(url: str) -> None:
    assert await read_shared_rows(url) is None  # nothing was ever kept there
    log = MemoryLog(2)
    async with PhotoSite(log, await shared_storage(url).open(url), CALLERS) as site:
        for photo in ("p1", "p2", "p3"):
            await site.add(photo, "a-ann")
            await site.vote(photo, "up", BOB)
        await site.comment("p1", "hello", ANN)
        await site.send("DELETE", "/photos/p3/vote", caller=BOB)
        await site.shelf.caught_up()
        rows = await read_shared_rows(url)  # also while it is in use
        assert rows is not None
        assert sorted(rows.counts) == [("p1", 1, 0, 1), ("p2", 1, 0, 0), ("p3", 0, 0, 0)]
        ends = {partition: await log.end(TOPIC, partition) for partition in range(2)}
        assert rows.ends == {partition: end for partition, end in ends.items() if end}
        recount = PhotoRecount()
        for record in await everything(log, TOPIC):
            recount.add(record.key, record.value)
        assert list(recount.compared(rows.counts)) == []
    [found] = recount.compared([("p2", 7, 0, 0), *(row for row in rows.counts if row[0] != "p2")])
    assert found == "I1 p2: rows have (7, 0, 0), the log has (1, 0, 0)"
    ids = select(photos.c.id).order_by(photos.c.id)
    looked = await shared_storage(url).look_at(url, "timelines", "another", lambda db: db.scalars(ids).all())
    assert looked is None  # rows of another topic


@pytest.mark.needs("postgres")
async def test_rows_in_postgresql_are_compared_with_the_log(postgres_server: postgres.Server) -> None:
    async with postgres_server.database() as name:
        await check(postgres_server.url(name))


@pytest.mark.needs("mariadb")
async def test_rows_in_mariadb_are_compared_with_the_log(mariadb_server: mariadb.Server) -> None:
    with mariadb_server.database() as name:
        await check(mariadb_server.url(name))
