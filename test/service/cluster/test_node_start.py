"""A service of a domain starts: it is in discovery, and owns partitions, once its node is a member."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from msgspec.json import encode
from support.domain_nodes import TestedDomain
from support.shelf import DUNE
from support.until import eventually

from bookshelf.cli.domain import start_host
from bookshelf.config import Settings
from bookshelf.http.message import request
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES

[NEWBOOK] = [service for service in SERVICES if service.name == "newbook"]


class StartingNode:
    """A node with the service newbook, beside a domain of one other node."""

    def __init__(self, domain: TestedDomain) -> None:
        self.domain = domain
        self.discovery = domain.shelf.infrastructure.discovery
        self.host = ServiceHost(NEWBOOK, domain.shelf.infrastructure, "127.0.0.1", 8001)
        self.stack = AsyncExitStack()

    async def start(self, name: str = "late") -> None:
        infrastructure = self.domain.shelf.infrastructure
        await start_host(self.host, name, Settings(accounts="off"), infrastructure, self.stack)

    def registered(self, service: str) -> int:
        return sum(instance.service == service for instance in self.discovery.snapshot().instances)

    async def status(self, method: str, target: str, body: bytes = b"") -> int:
        headers = {"Content_Type": "application/json"} if body else {}
        return (await self.host.api.handle(request(method, target, body, **headers))).status

    async def add_book(self) -> int:
        return await self.status("POST", "/books", encode(DUNE))


@pytest.fixture
async def node(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StartingNode]:
    monkeypatch.setenv("BOOKSHELF_CLUSTER_DOMAIN", "blue")
    async with TestedDomain("a") as domain:
        started = StartingNode(domain)
        async with started.stack:
            yield started


async def test_a_service_is_registered_once_its_node_is_a_member_and_until_it_leaves(
    node: StartingNode,
) -> None:
    prepared = (await node.domain.propose(barrier="prepare")).json
    starting = asyncio.create_task(node.start())

    async def is_present() -> bool:
        return node.registered("node") == 1

    await eventually(is_present, "the node is in discovery")
    assert [await node.add_book(), await node.status("GET", "/health/ready")] == [503, 503]
    assert (node.registered("newbook"), node.host.aggregates["newbook"].owned) == (0, frozenset())
    assert not starting.done()
    await node.domain.send("POST", f"/cluster/rollouts/{prepared['rollout']}/rollback")
    await starting
    assert [await node.add_book(), await node.status("GET", "/health/ready")] == [201, 200]
    assert node.registered("newbook") == 1
    machine = node.domain.nodes["a"].machine
    assert "late" in {member.node for member in machine.domain.members}
    await node.stack.aclose()
    assert (node.registered("newbook"), node.registered("node")) == (0, 0)

    async def has_left() -> bool:
        return "late" not in {member.node for member in machine.domain.members}

    await eventually(has_left, "the node has left the domain")


@pytest.mark.parametrize(("name", "shown"), [("late", "late"), ("", "newbook-127.0.0.1-8001")])
async def test_a_lock_s_holder_is_named_after_its_node(node: StartingNode, name: str, shown: str) -> None:
    locks = node.domain.shelf.infrastructure.locks
    process = locks.holder
    await node.start(name)
    assert locks.holder == f"{shown}/{process}"
