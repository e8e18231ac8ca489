"""A shared Consul: foreign entries neither remove nor add instances of ours."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.consul import Agent
from support.consul_discovery import followed, instance, opened, settings, well

from bookshelf.discovery.consul.discovery import ConsulDiscovery

pytestmark = pytest.mark.needs("consul")
MARKED = {"bookshelf": "1"}
HOSTILE: dict[str, dict[str, Any]] = {
    "port 0": {"Port": 0},
    "a port beyond all": {"Port": 99_999},
    "a header in its address": {"Address": "127.0.0.1\r\nX-Injected: 1"},
    "a path in its address": {"Address": "127.0.0.1/../x"},
    "a huge tag": {"Tags": ["x" * 100_000]},
    "many tags": {"Tags": [f"t{n}" for n in range(5000)]},
    "a header in its tag": {"Tags": ["books\r\nX-Injected: 1"]},
    "a header in its id": {"ID": "newbook-9\r\nX-Injected: 1"},
    "a header in its metadata": {"Meta": {**MARKED, "version": "1\r\nX-Injected: 1"}},
    "another's": {"Meta": {"version": "1"}},
}


@pytest.fixture
def two_nodes(shared: Agent) -> Iterator[Agent]:
    """An agent with another node in its catalogue, where foreign services register."""
    yield shared
    shared.ask("PUT", "/v1/catalog/deregister", {"Node": "strange"})


def written(agent: Agent, check: str, **changed: Any) -> None:  # noqa: ANN401 (anything)
    """Write an instance straight into the catalogue, as no agent would let anyone."""
    service = {
        "ID": "newbook-9",
        "Service": "newbook",
        "Tags": ["books"],
        "Address": "127.0.0.1",
        "Port": 1,
        "Meta": MARKED,
    } | changed
    told = {"CheckID": "strange", "Name": check, "Status": "passing", "ServiceID": service["ID"]}
    agent.ask(
        "PUT",
        "/v1/catalog/register",
        {"Node": "strange", "Address": "127.0.0.1", "Service": service, "Check": told},
    )


@pytest.mark.parametrize("changed", HOSTILE.values(), ids=HOSTILE)
async def test_invalid_foreign_entries_are_ignored(
    two_nodes: Agent, discovery: ConsulDiscovery, changed: dict[str, Any]
) -> None:
    async with followed(discovery) as seen:
        await discovery.register(instance("newbook-1"))
        await seen.until(well("newbook-1"))
        written(two_nodes, "Bookshelf: ready", **changed)
        await discovery.register(instance("newbook-2"))
        await seen.until(well("newbook-1", "newbook-2"))


async def test_our_instances_are_found_on_every_node(two_nodes: Agent, discovery: ConsulDiscovery) -> None:
    written(two_nodes, "Bookshelf: ready", Tags=["books", "newbook"])
    async with followed(discovery) as seen:
        await seen.until(well("newbook-9"))


async def test_instances_of_a_failed_node_are_removed(two_nodes: Agent, discovery: ConsulDiscovery) -> None:
    async with followed(discovery) as seen:
        await discovery.register(instance("newbook-1"))
        written(two_nodes, "Bookshelf: ready")
        await seen.until(well("newbook-1", "newbook-9"))
        gone = {"Node": "strange", "CheckID": "serfHealth", "Name": "Serf", "Status": "critical"}
        two_nodes.ask(
            "PUT", "/v1/catalog/register", {"Node": "strange", "Address": "127.0.0.1", "Check": gone}
        )
        await seen.until(well("newbook-1"))


async def test_many_foreign_services_cost_no_queries(two_nodes: Agent) -> None:
    for n in range(200):
        written(two_nodes, "another check", ID=f"other-{n}", Service=f"other-{n}", Meta={})
    async with opened(settings(two_nodes)) as discovery, followed(discovery) as seen:
        await discovery.register(instance("newbook-1"))
        await seen.until(well("newbook-1"))
