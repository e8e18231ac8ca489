"""Rollouts to three nodes in this process: all have the next revision, or all have the former one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.domain_nodes import SETTING, TestedDomain, TestedNode
from support.until import eventually

from bookshelf.cluster.domain_commands import RecordVote
from bookshelf.http.message import read_response, request
from bookshelf.http.problem import Problem

NEW = SETTING["content"]


@pytest.fixture
async def domain() -> AsyncIterator[TestedDomain]:
    async with TestedDomain() as running:
        yield running


async def test_a_committed_change_is_in_force_on_all_nodes(domain: TestedDomain) -> None:
    answer = await domain.propose(commit=True)
    assert (answer.status, answer.json["state"], answer.json["revision"]) == (200, "committed", 1)
    await domain.until_all_serve(1, NEW)
    same = await domain.propose(commit=True)
    assert (same.status, same.json["state"], same.json["revision"]) == (200, "unchanged", 1)


async def test_a_prepared_change_is_in_force_once_it_is_committed(domain: TestedDomain) -> None:
    answer = await domain.propose()
    assert (answer.status, answer.json["state"], answer.json["changes"]) == (200, "prepared", 1)
    await domain.until_all_serve(0, "")
    path = f"/cluster/rollouts/{answer.json['rollout']}/commit"
    assert (await domain.send("POST", path, {"changes": 2})).status == 409
    for _ in range(2):  # a repetition has the same answer
        done = await domain.send("POST", path, {"changes": 1})
        assert (done.status, done.json["state"]) == (200, "committed")
    await domain.until_all_serve(1, NEW)


@pytest.mark.parametrize("barrier", ["prepare", "commit"])
async def test_a_change_that_one_node_refuses_is_nowhere_in_force(domain: TestedDomain, barrier: str) -> None:
    domain.nodes["b"].kind.refuses = "config.toml:1: no such setting"
    answer = await domain.propose(barrier=barrier)
    assert (answer.status, answer.json["state"], answer.json["node"]) == (409, "aborted", "b")
    assert "no such setting" in answer.json["detail"]
    await domain.until_all_serve(0, "")


async def test_a_deployment_that_fails_on_one_node_is_rolled_back_on_all(domain: TestedDomain) -> None:
    domain.nodes["c"].kind.breaks = True
    answer = await domain.propose(commit=True)
    assert (answer.status, answer.json["state"]) == (409, "rolled-back")
    assert "it breaks" in answer.json["detail"]
    await domain.until_all_serve(0, "")


async def test_while_prepared_with_the_barrier_prepare_requests_are_answered_reloading(
    domain: TestedDomain,
) -> None:
    answer = await domain.propose(barrier="prepare")
    assert answer.json["state"] == "prepared"
    for node in domain.nodes.values():
        with pytest.raises(Problem, match="paused for rollout") as refused:
            await node.ask()
        assert refused.value.kind == "reloading"
        assert refused.value.headers["Bookshelf-Rollout"] == answer.json["rollout"]
    back = await domain.send("POST", f"/cluster/rollouts/{answer.json['rollout']}/rollback")
    assert (back.status, back.json["state"]) == (200, "aborted")
    await domain.until_all_serve(0, "")
    assert (await domain.nodes["a"].ask()).headers["Bookshelf-Revision"] == "0"


async def test_a_deployment_waits_for_requests_in_progress(domain: TestedDomain) -> None:
    slow = domain.nodes["b"]
    slow.may_answer.clear()
    asked = asyncio.create_task(slow.ask())
    await eventually(lambda: counted(slow), "the request is counted")
    committing = asyncio.create_task(domain.propose(commit=True))
    await eventually(lambda: is_paused(slow), "the node pauses")
    assert slow.kind.content == ""
    slow.may_answer.set()
    answered = await asked
    assert (answered.body, answered.headers["Bookshelf-Revision"]) == (b"", "0")
    assert (await committing).json["state"] == "committed"
    await domain.until_all_serve(1, NEW)
    assert (await slow.ask()).headers["Bookshelf-Revision"] == "1"


async def counted(node: TestedNode) -> bool:
    return bool(node.gate.active)


async def is_paused(node: TestedNode) -> bool:
    return node.gate.paused is not None


async def test_a_request_for_another_revision_is_refused(domain: TestedDomain) -> None:
    with pytest.raises(Problem, match="at revision 0 here"):
        await domain.nodes["a"].ask(Bookshelf_Revision="1")


@pytest.mark.parametrize("stage", ["load", "deploy"])
async def test_a_silent_node_fails_the_rollout_when_the_time_is_over(
    domain: TestedDomain, stage: str
) -> None:
    if stage == "load":
        domain.nodes["c"].is_silent = True
        proposing = asyncio.create_task(domain.propose())
    else:
        await domain.propose()
        domain.nodes["c"].is_silent = True
        proposing = asyncio.create_task(domain.propose("log_level = 'info'\n", commit=True))
    await eventually(lambda: votes_missing(domain, "c"), "only c has not voted")
    now = await domain.send("GET", "/cluster/status")
    assert (now.json["state"], now.json["waiting"]) == ("load", ["c"])
    domain.shelf.clock.move(timedelta(seconds=40))
    answer = await proposing
    assert (answer.status, answer.json["state"], answer.json["node"]) == (409, "aborted", "c")
    domain.nodes["c"].is_silent = False
    await domain.until_all_serve(0, "")


async def votes_missing(domain: TestedDomain, node: str) -> bool:
    rollout = domain.nodes["a"].machine.domain.rollout
    return rollout is not None and domain.nodes.keys() - rollout.voted == {node}


async def test_a_rollout_without_a_commit_ends_by_itself(domain: TestedDomain) -> None:
    await domain.propose(barrier="prepare")
    domain.shelf.clock.move(timedelta(seconds=21))
    await domain.until_all_serve(0, "")
    assert domain.nodes["a"].machine.domain.results[-1].result == "aborted"


async def test_a_node_that_starts_later_has_the_revision_before_it_answers(domain: TestedDomain) -> None:
    await domain.propose(commit=True)
    late = domain.nodes["d"] = TestedNode("d", domain.shelf)
    with pytest.raises(Problem, match="joining"):
        await late.ask()
    await late.start()
    assert late.serves(1, NEW)
    assert (await domain.propose("", commit=True)).json["nodes"] == ["a", "b", "c", "d"]
    await domain.until_all_serve(2, "")


async def test_a_node_that_cannot_load_the_revision_joins_once_it_can(domain: TestedDomain) -> None:
    await domain.propose(commit=True)
    late = domain.nodes["d"] = TestedNode("d", domain.shelf)
    late.kind.refuses = "the repository is away"
    starting = asyncio.create_task(late.start())

    async def is_noted() -> bool:
        return "the repository is away" in (late.agent.fault or "")

    await eventually(is_noted, "the node names what it waits for")
    late.kind.refuses = None
    await starting
    assert late.serves(1, NEW)
    assert late.agent.fault is None


async def test_a_node_that_cannot_undo_a_change_admits_nothing_until_it_has_its_revision(
    domain: TestedDomain,
) -> None:
    domain.nodes["a"].kind.breaks = True
    stays = domain.nodes["b"]
    stays.kind.stays = True
    answer = await domain.propose(commit=True)
    assert (answer.status, answer.json["state"]) == (409, "rolled-back")
    await domain.until_all_serve(0, "")
    domain.nodes["a"].kind.breaks = False
    await domain.propose(commit=True)
    await domain.until_all_serve(1, NEW)


async def test_a_restarted_node_takes_the_place_of_its_former_process(domain: TestedDomain) -> None:
    former = domain.nodes["a"]
    former.is_silent = True
    await former.agent.stop()
    domain.nodes["a"] = TestedNode("a", domain.shelf)
    await domain.nodes["a"].start()
    assert domain.nodes["a"].machine.state.epoch == 4
    await domain.propose(commit=True)
    await domain.until_all_serve(1, NEW)


async def test_an_evicted_node_joins_again(domain: TestedDomain) -> None:
    node = domain.nodes["a"]
    epoch = node.machine.state.epoch
    await node.client.send(*node.machine.evict("a", epoch, domain.shelf.clock.now()))

    async def is_back() -> bool:
        return node.machine.state.epoch > epoch

    await eventually(is_back, "the node is a member again")
    await domain.propose(commit=True)
    await domain.until_all_serve(1, NEW)


async def test_a_node_that_leaves_is_not_waited_for(domain: TestedDomain) -> None:
    await domain.nodes.pop("c").agent.stop()
    answer = await domain.propose(commit=True)
    assert (answer.json["state"], answer.json["nodes"]) == ("committed", ["a", "b"])


async def test_two_administrators_get_one_rollout_or_a_conflict(domain: TestedDomain) -> None:
    first = await domain.propose()
    name = first.json["rollout"]
    other = await domain.send(
        "POST",
        "/cluster/rollouts",
        {"changes": [{"kind": "settings", "content": "log_level = 'info'\n"}]},
        Bookshelf_Actor="bob",
    )
    assert other.status == 409
    assert f"rollout {name} of reader is open" in other.json["detail"]


async def test_a_proposal_that_is_sent_again_opens_one_rollout(domain: TestedDomain) -> None:
    answers = [await domain.send("POST", "/cluster/rollouts", {"changes": [SETTING]}, Idempotency_Key="k1")]
    answers += [await domain.send("POST", "/cluster/rollouts", {"changes": [SETTING]}, Idempotency_Key="k1")]
    assert len({answer.json["rollout"] for answer in answers}) == 1
    assert {answer.status for answer in answers} == {200}


async def test_a_paused_node_without_the_log_resumes_and_a_later_commit_is_rolled_back(
    domain: TestedDomain,
) -> None:
    answer = await domain.propose(barrier="prepare")
    cut = domain.nodes["b"]
    cut.log.is_cut = True
    await eventually(lambda: is_resumed(cut), "the node resumes on its revision")
    path = f"/cluster/rollouts/{answer.json['rollout']}/commit"
    committing = asyncio.create_task(domain.send("POST", path, {"changes": 1}))
    await eventually(lambda: votes_missing(domain, "b"), "only the cut node has not deployed")
    domain.shelf.clock.move(timedelta(seconds=3))
    cut.log.is_cut = False
    done = await committing
    assert (done.status, done.json["state"]) == (409, "rolled-back")
    await domain.until_all_serve(0, "")


async def is_resumed(node: TestedNode) -> bool:
    return node.gate.paused is None


async def test_votes_that_do_not_count_are_counted(domain: TestedDomain) -> None:
    """Of a former epoch, of another rollout, and of a node that is none."""
    assert (await domain.propose(commit=True)).status == 200
    node = domain.nodes["a"]
    vote = RecordVote(
        rollout="another",
        phase="load",
        changes=1,
        node="a",
        epoch=node.machine.state.epoch,
        accepted=True,
        at=domain.shelf.clock.now(),
    )
    before = len(node.machine.votes), await ignored(domain)
    votes = (vote, replace(vote, epoch=vote.epoch + 1), replace(vote, node="other"))
    for number, one in enumerate(votes):
        await node.client.send(f"vote-{number}", one)
    await node.client.send("vote-0", vote)  # a repetition
    assert (len(node.machine.votes), await ignored(domain)) == (before[0], before[1] + 4)


async def ignored(domain: TestedDomain) -> float:
    """Return how many votes have changed nothing."""
    answer = await domain.shelf.hosts["rollouts"].api.handle(request("GET", "/metrics"))
    page = (await read_response(answer, 1 << 20)).decode()
    name = 'bookshelf_commands_without_events_total{aggregate="domain",command="cluster.vote.v1"} '
    found = [line for line in page.splitlines() if line.startswith(name)]
    return float(found[0].rsplit(" ", 1)[1]) if found else 0.0
