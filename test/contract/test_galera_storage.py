"""Rows in a real Galera cluster keep the contract of every storage, also when a node is killed."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from contract.read_contract import ReadContract
from contract.storage_contract import SOURCE, LastingContract, StorageContract
from support.counter_context import VIEW, sums
from support.galera import COUNT, GaleraCluster, background, galera
from support.galera_load import Load
from support.same_answers import compare_answers
from support.until import until

from bookshelf.storage import checkpoints
from bookshelf.storage.checkpoints import Superseded
from bookshelf.storage.mariadb.storage import MariaDbStorage
from bookshelf.storage.port import StorageFault

pytestmark = pytest.mark.needs("mariadb")


@pytest.fixture(scope="module")
def grown() -> Iterator[tuple[GaleraCluster, list[str]]]:
    """A cluster that began with one node, and what that one answered while it grew to three."""
    with galera(nodes=1) as running:
        with background(running.rows) as answers:
            until(lambda: answers, "the first node answers")
            running.command("--nodes", "3")
            seen = len(answers)
            until(lambda: len(answers) > seen, "the first node still answers")
        yield running, answers


@pytest.fixture
def cluster(grown: tuple[GaleraCluster, list[str]]) -> GaleraCluster:
    return grown[0]


@pytest.fixture
def name(cluster: GaleraCluster) -> Iterator[str]:
    with cluster.database() as name:
        yield name


@pytest.fixture
def url(cluster: GaleraCluster, name: str) -> str:
    return cluster.url(name)


@pytest.fixture
async def storage(url: str) -> AsyncIterator[MariaDbStorage]:
    made = await MariaDbStorage.open(url)
    yield made
    await made.close()


@pytest.fixture
async def again(url: str) -> AsyncIterator[MariaDbStorage]:
    made = await MariaDbStorage.open(url)
    yield made
    await made.close()


def test_the_first_node_answers_while_it_grows_to_three_and_forgets_nothing(
    grown: tuple[GaleraCluster, list[str]],
) -> None:
    cluster, answers = grown
    seen = [int(answer) for answer in answers]
    assert seen == list(range(1, len(seen) + 1))
    until(lambda: int(cluster.run(3, COUNT)) >= seen[-1], "the third node has the rows too")


class TestGaleraStorage(StorageContract):
    """Table sets."""


class TestGaleraReads(ReadContract):
    """Many reads at once."""


class TestGaleraStorageLasts(LastingContract):
    """Restarts, perhaps at another node."""


async def test_of_instances_at_three_nodes_that_start_at_once_each_uses_the_same_rows(
    cluster: GaleraCluster, name: str
) -> None:
    storages = await asyncio.gather(*(MariaDbStorage.open(cluster.url(name, node)) for node in (1, 2, 3)))
    tables = await asyncio.gather(*(storage.live(VIEW, SOURCE) for storage in storages))
    assert len({one.name for one in tables}) == 1
    await asyncio.gather(*(storage.close() for storage in storages))


async def test_a_checkpoint_that_three_nodes_move_at_once_moves_once_for_each_step(
    cluster: GaleraCluster, name: str
) -> None:
    storages = [await MariaDbStorage.open(cluster.url(name, node)) for node in (1, 2, 3)]
    tables = [await storage.live(VIEW, SOURCE) for storage in storages]
    won = [0, 0, 0]

    async def steps(place: int) -> None:
        for at in range(40):
            try:
                await tables[place].write(lambda db: checkpoints.move(db, 0, at, at + 1))  # noqa: B023 (awaited here)
            except Superseded:
                continue
            won[place] += 1

    async with asyncio.timeout(60):
        await asyncio.gather(*(steps(place) for place in range(3)))
    [moved] = (await tables[0].look()).applied.values()
    assert sum(won) == moved
    await asyncio.gather(*(storage.close() for storage in storages))


def test_any_log_gives_the_same_answers_on_a_cluster(url: str) -> None:
    compare_answers(url, max_examples=1)


async def test_a_server_where_the_user_may_not_create_triggers_is_refused(
    cluster: GaleraCluster, url: str
) -> None:
    for node in (1, 2, 3):
        cluster.run(node, "SET GLOBAL log_bin_trust_function_creators = OFF")
    with pytest.raises(StorageFault, match="log_bin_trust_function_creators=ON"):
        await MariaDbStorage.open(url)
    for node in (1, 2, 3):
        cluster.run(node, "SET GLOBAL log_bin_trust_function_creators = ON")


async def test_a_node_that_is_killed_under_load_loses_nothing_and_no_reading_goes_back(
    cluster: GaleraCluster, url: str
) -> None:
    async with Load(url) as load:
        await load.goes_on()
        victim = load.node(cluster)
        await asyncio.to_thread(cluster.kill, victim)
        await load.goes_on()
        await asyncio.to_thread(cluster.start, victim)
        await load.goes_on()
        expected = await load.settled()
    print(load.measured)  # noqa: T201
    name = url.rpartition("/")[2]
    for node in (1, 2, 3):
        storage = await MariaDbStorage.open(cluster.url(name, node))
        assert await (await storage.live(VIEW, load.source)).read(sums) == expected
        await storage.close()
