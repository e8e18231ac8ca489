"""A node that loses the log in a rollout leaves discovery, and is removed: the others do not wait for it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.domain_nodes import SETTING, TestedDomain, TestedNode
from support.until import eventually

from bookshelf.cli.node_presence import NODE, NodePlace, show_presence
from bookshelf.concurrency import cancel_and_wait
from bookshelf.runtime.agent.eviction import NODE_PROCESS, AbsenceWatch, evict_absent_nodes

NEW = SETTING["content"]
#: Seconds that a node may be absent here.
ABSENT_S = 0.6


@pytest.fixture
async def domain() -> AsyncIterator[TestedDomain]:
    """The node a is the one that removes absent nodes."""
    async with TestedDomain() as running, AsyncExitStack() as stack:
        discovery = running.shelf.infrastructure.discovery
        for name, node in running.nodes.items():
            await show_presence(node.agent, NodePlace(host=name, port=1), name, discovery, stack)
        evictor = running.nodes["a"]
        evicting = evict_absent_nodes(
            *(evictor.machine, evictor.agent.contact, discovery, evictor.client.send),
            *(running.shelf.clock.now, AbsenceWatch(ABSENT_S)),
        )
        stack.push_async_callback(cancel_and_wait, asyncio.create_task(evicting))
        yield running


def shown(domain: TestedDomain) -> set[str]:
    """Return the names of the nodes that are in discovery."""
    known = domain.shelf.infrastructure.discovery.snapshot().instances
    return {one.address for one in known if one.service == NODE}


async def until_shown(domain: TestedDomain, names: Iterable[str]) -> None:
    async def are_shown() -> bool:
        return shown(domain) == set(names)

    await eventually(are_shown, f"discovery has the nodes {names}")


async def until_members(domain: TestedDomain, names: Iterable[str], *, of: str = "a") -> None:
    async def are_members() -> bool:
        return {one.node for one in domain.nodes[of].machine.domain.members} == set(names)

    await eventually(are_members, f"the members are {names}")


async def deploying_without(domain: TestedDomain, cut: TestedNode) -> asyncio.Task[object]:
    """Have the log cut for one node of a prepared rollout, and its commit requested."""
    prepared = await domain.propose(barrier="prepare")
    assert prepared.json["state"] == "prepared"
    cut.log.is_cut = True
    path = f"/cluster/rollouts/{prepared.json['rollout']}/commit"
    return asyncio.create_task(domain.send("POST", path, {"changes": 1}))


async def until_only_missing(domain: TestedDomain, name: str) -> None:
    async def is_only_missing() -> bool:
        rollout = domain.nodes["a"].machine.domain.rollout
        return (
            rollout is not None
            and rollout.phase == "deploy"
            and domain.nodes.keys() - rollout.voted == {name}
        )

    await eventually(is_only_missing, f"only {name} has not deployed")


async def test_a_rollback_ends_without_a_node_that_has_lost_the_log(domain: TestedDomain) -> None:
    cut = domain.nodes["c"]
    epoch = cut.machine.state.epoch
    committing = await deploying_without(domain, cut)
    await until_members(domain, "ab")
    await committing
    assert shown(domain) == {"a", "b"}
    assert domain.nodes["a"].machine.domain.results[-1].result == "rolled-back"
    assert domain.nodes["a"].serves(0, "")
    assert domain.nodes["b"].serves(0, "")

    done = await domain.propose(commit=True)
    assert (done.json["state"], done.json["nodes"]) == ("committed", ["a", "b"])

    cut.log.is_cut = False
    await until_members(domain, "abc")
    await until_shown(domain, "abc")
    assert cut.machine.state.epoch > epoch
    await domain.until_all_serve(1, NEW)


async def test_a_rollback_that_was_requested_ends_without_a_node_that_has_deployed_and_lost_the_log(
    domain: TestedDomain,
) -> None:
    """It stays paused until it reads that it was removed: the others may have decided."""
    cut, silent = domain.nodes["c"], domain.nodes["b"]
    prepared = await domain.propose(barrier="prepare")
    silent.is_silent = True
    path = f"/cluster/rollouts/{prepared.json['rollout']}/commit"
    committing = asyncio.create_task(domain.send("POST", path, {"changes": 1}))
    await until_only_missing(domain, "b")

    async def is_voted() -> bool:
        return cut.machine.state.deployed and not cut.machine.has_ballot

    await eventually(is_voted, "the node has read that its vote for deployment is recorded")
    cut.log.is_cut = True
    domain.shelf.clock.move(timedelta(seconds=3))  # b was silent: a rollback is requested
    await until_members(domain, "ab")
    assert (cut.gate.paused is not None, cut.kind.content) == (True, NEW)
    silent.is_silent = False
    done = await committing
    assert (getattr(done, "status", 0), domain.nodes["a"].machine.domain.revision) == (409, 0)
    cut.log.is_cut = False
    await until_members(domain, "abc")
    await domain.until_all_serve(0, "")


def test_another_process_at_the_address_of_a_member_is_not_that_member() -> None:
    watch, members = AbsenceWatch(3.0), {("c", 1): ("http://c:1", "first")}
    for process, absent in (("second", [("c", 1)]), ("first", []), ("", [])):
        there = [("http://c:1", process), ("http://d:1", "first")]
        assert watch.absent(members, there, 10.0) == []
        assert watch.absent(members, there, 13.0) == absent


async def test_a_member_is_removed_while_another_process_is_at_its_address(domain: TestedDomain) -> None:
    """It may not be able to join: its revision cannot be loaded, or it has lost the log since its start."""
    epoch, discovery = domain.nodes["c"].machine.state.epoch, domain.shelf.infrastructure.discovery
    one = next(one for one in discovery.snapshot().instances if (one.service, one.address) == (NODE, "c"))
    await discovery.register(replace(one, meta={**one.meta, NODE_PROCESS: "another"}))

    async def is_removed() -> bool:
        return domain.nodes["c"].machine.state.epoch != epoch

    await eventually(is_removed, "the node c has read that it is no member in its epoch")


async def test_no_node_is_removed_while_the_log_is_away_for_all(domain: TestedDomain) -> None:
    epochs = {name: node.machine.state.epoch for name, node in domain.nodes.items()}
    prepared = await domain.propose(barrier="prepare")
    for node in domain.nodes.values():
        node.log.is_cut = True
    await until_shown(domain, "")
    asked = domain.nodes["a"].log.asked

    async def has_asked() -> bool:
        return domain.nodes["a"].log.asked > asked + 3 * (ABSENT_S / 0.25)

    await eventually(has_asked, "the node that removes others has had time to do it")
    for node in domain.nodes.values():
        node.log.is_cut = False
    await until_shown(domain, "abc")
    path = f"/cluster/rollouts/{prepared.json['rollout']}/rollback"
    assert (await domain.send("POST", path)).json["state"] == "aborted"
    await domain.until_all_serve(0, "")
    assert {name: node.machine.state.epoch for name, node in domain.nodes.items()} == epochs
    done = await domain.propose(commit=True)
    assert (done.json["state"], done.json["nodes"]) == ("committed", ["a", "b", "c"])


async def test_a_node_without_the_log_stays_in_discovery_while_no_rollout_is_open(
    domain: TestedDomain,
) -> None:
    """A later rollout is aborted, which needs no vote of it; until then all goes on as it was."""
    cut = domain.nodes["c"]
    cut.log.is_cut = True
    proposing = asyncio.create_task(domain.propose())

    async def has_voted() -> bool:
        rollout = domain.nodes["a"].machine.domain.rollout
        return rollout is not None and domain.nodes.keys() - rollout.voted == {"c"}

    await eventually(has_voted, "only c has not voted")
    domain.shelf.clock.move(timedelta(seconds=3))
    assert (await proposing).json["state"] == "aborted"
    assert shown(domain) == {"a", "b", "c"}
    assert (await cut.ask()).status == 200
