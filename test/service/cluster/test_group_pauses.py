"""Nodes of service groups in a rollout: no request is answered from a revision that may be rolled back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from support.group_domain import GroupDomain, put
from support.group_node import LOAD_S
from support.packages import SERVICES, package
from support.until import eventually

from bookshelf.cluster.member import NodeState
from bookshelf.cqrs.item import ItemChange
from bookshelf.http.message import request
from bookshelf.runtime.agent.deployment import Deployment, Key
from bookshelf.runtime.agent.item import ItemRefused

if TYPE_CHECKING:
    from bookshelf.cluster.node import DomainNode

CLOSED = {"kind": "policy", "name": "counters", "content": 'state = "closed"\n'}


class HeldDeployment:
    """What a slow node does: it deploys once it may, or not at all."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.may_deploy = asyncio.Event()
        self.fault: OSError | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (what a deployment has)
        return getattr(self._deployment, name)

    async def deploy(self, changes: tuple[ItemChange, ...]) -> dict[Key, str]:
        await self.may_deploy.wait()
        if self.fault is not None:
            raise ItemRefused(str(self.fault))
        return await self._deployment.deploy(changes)


@pytest.fixture
async def domain(tmp_path: Path) -> AsyncIterator[GroupDomain]:
    async with GroupDomain(tmp_path) as running:
        yield running


def state(domain: GroupDomain, number: int) -> NodeState:
    """Return what a node is doing."""
    return cast("DomainNode", domain.agents[number].machine).state


def hold(domain: GroupDomain) -> HeldDeployment:
    """Hold the second node before its deployment."""
    agent = domain.agents[1]
    held = HeldDeployment(agent.deployment)
    agent.deployment = cast("Deployment", held)
    return held


async def deployed_by_one(domain: GroupDomain, change: dict[str, str]) -> "asyncio.Task[Any]":
    """Begin a change; return once the first node has deployed it, and the second has not."""
    changing = asyncio.create_task(domain.change(change))

    async def is_deployed() -> bool:
        return state(domain, 0).deployed

    await eventually(is_deployed, "the first node has deployed it", LOAD_S)
    return changing


async def kinds_of(domain: GroupDomain, target: str = "/counters/greeting") -> str:
    """Return what a request to the first node is answered: the status, or the kind of problem."""
    answer = await domain.nodes[0].groups.handle(request("GET", target, b""))
    body = answer.body
    return "reloading" if isinstance(body, bytes) and b"problem:reloading" in body else str(answer.status)


@pytest.mark.parametrize("fails", [False, True], ids=["committed", "rolled back"])
async def test_a_group_that_one_node_has_loaded_answers_once_all_have(
    domain: GroupDomain, *, fails: bool
) -> None:
    held = hold(domain)
    held.fault = OSError("it breaks") if fails else None
    added = domain.repository.add_package(package())
    changing = await deployed_by_one(domain, put(added.digest))
    assert await kinds_of(domain) == "reloading"
    held.may_deploy.set()
    answer = await changing
    assert answer.json["state"] == ("rolled-back" if fails else "committed")
    await domain.until_both_answer(404 if fails else 200, b"" if fails else b"one")


async def test_a_policy_of_a_group_applies_once_all_nodes_have_it(domain: GroupDomain) -> None:
    added = domain.repository.add_package(package())
    assert (await domain.change(put(added.digest))).json["state"] == "committed"
    await domain.until_both_answer(200, b"one")
    held = hold(domain)
    held.fault = OSError("it breaks")
    changing = await deployed_by_one(domain, CLOSED)
    assert [await kinds_of(domain), state(domain, 1).admits] == ["reloading", False]
    held.may_deploy.set()
    assert (await changing).json["state"] == "rolled-back"
    await domain.until_both_answer(200, b"one")


async def test_a_group_is_absent_once_all_nodes_have_unloaded_it(domain: GroupDomain) -> None:
    added = domain.repository.add_package(package())
    assert (await domain.change(put(added.digest))).json["state"] == "committed"
    await domain.until_both_answer(200, b"one")
    held = hold(domain)
    changing = await deployed_by_one(domain, {"kind": "package", "name": "counters", "action": "remove"})
    assert await kinds_of(domain) == "reloading"
    held.may_deploy.set()
    assert (await changing).json["state"] == "committed"
    await domain.until_both_answer(404, b"")


#: A further service of the package.
_WORDS = """
from dataclasses import replace

[greeting] = SERVICES
WORDS = replace(greeting.serves[0], path="/counters/words")
SERVICES = (greeting, replace(greeting, name="words", tags=("counters", "words"), port=8141, serves=(WORDS,)))
"""


async def test_a_service_that_a_new_version_adds_answers_once_all_have_it(domain: GroupDomain) -> None:
    added = domain.repository.add_package(package())
    assert (await domain.change(put(added.digest))).json["state"] == "committed"
    await domain.until_both_answer(200, b"one")
    held = hold(domain)
    second = domain.repository.add_package(package("2.0.0", "two", SERVICES + _WORDS))
    changing = await deployed_by_one(domain, put(second.digest))
    assert [await kinds_of(domain), await kinds_of(domain, "/counters/words")] == ["reloading"] * 2
    held.may_deploy.set()
    assert (await changing).json["state"] == "committed"


async def test_a_service_that_a_new_version_lacks_is_absent_once_all_have_it(domain: GroupDomain) -> None:
    first = domain.repository.add_package(package("1.0.0", "one", SERVICES + _WORDS))
    assert (await domain.change(put(first.digest))).json["state"] == "committed"
    await domain.until_both_answer(200, b"one")
    held = hold(domain)
    second = domain.repository.add_package(package("2.0.0", "two"))
    changing = await deployed_by_one(domain, put(second.digest))
    assert await kinds_of(domain, "/counters/words") == "reloading"
    held.may_deploy.set()
    assert (await changing).json["state"] == "committed"
    await domain.until_both_answer(200, b"two")
    assert await kinds_of(domain, "/counters/words") == "404"
