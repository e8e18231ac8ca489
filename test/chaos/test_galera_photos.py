"""Nodes of Galera are killed while people vote: counts are those of the log; without a majority, 503."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from random import Random

import pytest
from support.counter_context import everything
from support.galera import GaleraCluster, galera
from support.photo_site import ANN, BOB, CALLERS, EVE, PhotoSite
from support.until import eventually

from bookshelf.http.message import request
from bookshelf.log.memory import MemoryLog
from bookshelf.photos.events import TOPIC
from bookshelf.photos.recount import PhotoRecount
from bookshelf.storage.mariadb.storage import MariaDbStorage

pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.chaos, pytest.mark.slow]
PHOTOS = [f"p{number}" for number in range(4)]
#: Votes after each fault, by each person: under the limit of a minute, which the clock of the test moves on.
VOTES = 60


@pytest.fixture(scope="module")
def cluster() -> Iterator[GaleraCluster]:
    with galera() as made:
        made.whole()
        yield made


async def vote_often(site: PhotoSite) -> None:
    """Let three persons vote at once. Votes need no rows, so no fault of a node fails them."""

    async def vote(number: int) -> None:
        random = Random(number)  # noqa: S311 (no secret)
        for _ in range(VOTES):
            way = random.choice(["up", "down", None])
            answer = await site.vote(random.choice(PHOTOS), way, (ANN, BOB, EVE)[number])
            assert answer.status == 200, answer.body

    await asyncio.gather(*map(vote, range(3)))
    site.clock.move(timedelta(minutes=1))


async def test_a_node_is_killed_while_people_vote(cluster: GaleraCluster) -> None:
    with cluster.database() as name:
        cluster.whole()
        storage = await MariaDbStorage.open(cluster.url(name))
        try:
            async with PhotoSite(MemoryLog(2), storage, CALLERS) as site:
                for photo in PHOTOS:
                    await site.add(photo, "a-owner")
                await vote_often(site)
                for _ in range(
                    2
                ):  # the node that the timelines use, and then the one that they have changed to
                    node = cluster.number_at(storage.database.node[1])
                    voting = asyncio.create_task(vote_often(site))
                    await asyncio.to_thread(cluster.kill, node)
                    await voting
                    await eventually(lambda: counted_exactly(site), "all votes are counted", 90)
                    await asyncio.to_thread(cluster.start, node)
        finally:
            await storage.close()


async def test_without_a_majority_queries_are_answered_503_until_it_is_back(cluster: GaleraCluster) -> None:
    with cluster.database() as name:
        cluster.whole()
        storage = await MariaDbStorage.open(cluster.url(name))
        async with PhotoSite(MemoryLog(2), storage, CALLERS) as site:
            await site.add("p0", "a-owner")
            assert (await site.get("/photos", ANN))[0]["id"] == "p0"
            assert await ready(site) == 200
            for node in (2, 3):
                pid = await asyncio.to_thread(cluster.pid, node)
                os.kill(pid, signal.SIGKILL)
            await eventually(lambda: refused(site), "queries are refused, and the service is not ready", 60)
            assert (await site.vote("p0", "up", BOB)).status == 200  # needs no rows
            await asyncio.to_thread(cluster.whole)
            await eventually(lambda: counted(site), "the vote is counted", 90)
            assert await ready(site) == 200


async def refused(site: PhotoSite) -> bool:
    """Return True if a query is answered 503, with the time to try it again, and the service is not ready."""
    answer = await site.send("GET", "/photos", caller=ANN)
    if answer.status == 200:
        return False
    assert (answer.status, answer.json["type"]) == (503, "urn:bookshelf:problem:unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    return await ready(site) == 503


async def counted(site: PhotoSite) -> bool:
    """Return True once the vote is in the answer."""
    with suppress(AssertionError):
        [photo] = await listed(site)
        return photo["up"] == 1
    return False


async def ready(site: PhotoSite) -> int:
    """Return the status of the health check of the timelines."""
    answer = await site.shelf.hosts["timelines"].api.handle(request("GET", "/health/ready"))
    return answer.status


async def counted_exactly(site: PhotoSite) -> bool:
    """Return True if the answers of the API are those of a recount of the log."""
    recount = PhotoRecount()
    for record in await everything(site.shelf.log, TOPIC):
        recount.add(record.key, record.value)
    assert recount.violations == []
    with suppress(AssertionError):  # a query is refused while no node answers
        found = {photo["id"]: (photo["up"], photo["down"], photo["comments"]) for photo in await listed(site)}
        return found == {photo: recount.photos[photo].counts for photo in PHOTOS}
    return False


async def listed(site: PhotoSite) -> list[dict[str, object]]:
    """Return all photos. Raises AssertionError for another answer than 200."""
    answer = await site.send("GET", "/photos?rows=100", caller=ANN)
    assert answer.status == 200, answer.body
    found: list[dict[str, object]] = answer.json
    return found
