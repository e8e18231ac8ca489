"""The nodes of MariaDB on a real Consul: the lock of the one that may begin, and where the others are."""

from collections.abc import Iterator

import pytest
from support import consul as consul_support
from support.consul import Agent

from bookshelf.galera.peers import Consul, ConsulFault, consul_lock

pytestmark = pytest.mark.needs("consul")


@pytest.fixture
def agent(consul_agent: Agent) -> Iterator[Agent]:
    yield consul_agent
    consul_agent.clear()


async def test_one_node_at_a_time_has_the_lock(agent: Agent) -> None:
    consul = Consul(consul_support.HOST, agent.ports.http)
    async with consul_lock(consul) as first, consul_lock(consul) as second:
        assert (first, second) == (True, False)
    async with consul_lock(consul) as again:
        assert again
    assert agent.get("/v1/session/list") == []


async def test_without_consul_the_lock_is_not_given(agent: Agent) -> None:
    gone = Consul(consul_support.HOST, consul_support.free_ports().http)
    async with consul_lock(gone) as held:
        assert not held
    with pytest.raises(ConsulFault, match="Consul at http"):
        await gone.addresses()
    assert agent.get("/v1/session/list") == []


async def test_nodes_are_found_while_they_are_registered(agent: Agent) -> None:
    consul = Consul(consul_support.HOST, agent.ports.http)
    await consul.register("127.0.0.2")
    await consul.register("127.0.0.3")
    assert sorted(await consul.addresses()) == ["127.0.0.2", "127.0.0.3"]
    await consul.deregister("127.0.0.2")
    assert await consul.addresses() == ["127.0.0.3"]
