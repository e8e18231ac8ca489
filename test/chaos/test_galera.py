"""Nodes of a Galera cluster are killed and hang under load: no answer is wrong, and nothing is lost."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from support.counter_context import sums
from support.galera import GaleraCluster, galera
from support.galera_load import Load
from support.until import eventually

from bookshelf.runtime.view.host import ViewHost
from bookshelf.storage.port import StorageFault

pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.chaos, pytest.mark.slow]


@pytest.fixture(scope="module")
def running() -> Iterator[GaleraCluster]:
    with galera() as made:
        yield made


@pytest.fixture
def cluster(running: GaleraCluster) -> GaleraCluster:
    running.whole()
    return running


async def test_each_node_in_turn_is_killed(cluster: GaleraCluster) -> None:
    with cluster.database() as name:
        async with Load(cluster.url(name)) as load:
            for node in (1, 2, 3):
                await asyncio.to_thread(cluster.kill, node)
                await load.goes_on()
                await asyncio.to_thread(cluster.start, node)
                await load.goes_on()
            await load.settled()
        print(f"each node killed: {load.measured}")  # noqa: T201


async def test_a_node_that_hangs_is_left_and_may_come_back(cluster: GaleraCluster) -> None:
    with cluster.database() as name:
        async with Load(cluster.url(name)) as load:
            await load.goes_on()
            pid = await asyncio.to_thread(cluster.pid, load.node(cluster))
            os.kill(pid, signal.SIGSTOP)
            try:
                await load.goes_on()
            finally:
                os.kill(pid, signal.SIGCONT)
            await asyncio.to_thread(cluster.whole)
            await load.goes_on()
            await load.settled()
        print(f"a node hangs: {load.measured}")  # noqa: T201


async def _gives_no_answer(host: ViewHost) -> bool:
    try:
        await host.query(sums)
    except StorageFault:
        return host.fault is not None
    return False


async def test_without_a_majority_nothing_is_answered_until_it_is_back(cluster: GaleraCluster) -> None:
    with cluster.database() as name:
        async with Load(cluster.url(name)) as load:
            await load.goes_on()
            pids = [await asyncio.to_thread(cluster.pid, node) for node in (2, 3)]
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            for host in load.hosts:
                await eventually(lambda host=host: _gives_no_answer(host), "it is not ready", 60)  # type: ignore[misc]
            await asyncio.to_thread(cluster.whole)
            await load.goes_on()
            assert [host.fault for host in load.hosts] == [None] * len(load.hosts)
            await load.settled()
        print(f"two nodes killed at once: {load.measured}")  # noqa: T201
