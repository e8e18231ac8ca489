"""What a node does in a rollout: each record, each result of a local step, and the loss of contact."""

from collections.abc import Iterable, Sequence

import pytest
from msgspec.structs import replace
from support.cluster import (
    DIGEST,
    NODES,
    SECOND,
    deploying,
    joined,
    opened,
    prepared,
    recorded,
    requested,
)

from bookshelf.cluster.events import (
    NodeLeft,
    Phase,
    RevisionCommitted,
    RolloutAborted,
    RolloutRolledBack,
)
from bookshelf.cluster.member import (
    Ballot,
    LocalResult,
    NodeState,
    Step,
    end_step,
    is_concerned,
    lose_contact,
    read_event,
)
from bookshelf.cqrs.item import Kind
from bookshelf.cqrs.message import Event

START = NodeState(node="a", instance="a-1", services=frozenset({"newbook"}))
COMMITTED = RevisionCommitted(rollout="r1", revision=1, items=())
ABORTED = RolloutAborted(rollout="r1", reason="")
ROLLED_BACK = RolloutRolledBack(rollout="r1", reason="")
ROLLBACK = requested("rollback", None)


def follow(events: Iterable[Event], state: NodeState = START) -> tuple[NodeState, list[Step]]:
    """Read events; each step of a phase succeeds at once."""
    steps = list[Step]()
    for event in events:
        state, more = read_event(state, event)
        steps += more
        if {"load", "drain", "deploy", "restore"}.intersection(more):
            state, more = end_step(state, succeeded(state))
            steps += more
    return state, steps


def succeeded(state: NodeState, **other: str) -> LocalResult:
    assert state.phase is not None
    fields = {"rollout": state.rollout, "phase": state.phase, "changes": state.changes, "digest": DIGEST}
    return LocalResult(**{**fields, **other})  # type: ignore[arg-type]


def steps_of(events: Sequence[Event], last: Event) -> list[Step]:
    """Return the steps for the last event alone."""
    return follow([last], follow(events)[0])[1]


def test_a_node_admits_requests_once_it_has_joined() -> None:
    state, steps = follow(joined("a"))
    assert (state.epoch, state.admits, steps) == (1, True, ["admit"])


def test_a_node_that_another_process_joined_with_its_name_is_no_member() -> None:
    other = replace(START, instance="a-2")
    assert follow(joined("a"), other) == (other, [])


def test_a_node_that_is_no_member_ignores_rollouts() -> None:
    assert follow([*joined("b"), *opened(), requested("pause", 7.0), COMMITTED]) == (START, [])


def test_a_node_votes_once_it_has_loaded() -> None:
    state, steps = follow([*joined(*NODES), *opened()])
    assert steps == ["admit", "load", "vote"]
    assert state.admits
    assert state.ballot == Ballot(rollout="r1", phase="load", changes=1, accepted=True, digest=DIGEST)


def test_a_vote_that_is_recorded_is_sent_no_more() -> None:
    state, _ = follow([*joined(*NODES), *opened(), recorded("b", "load")])
    assert state.ballot is not None
    state, _ = follow([recorded("a", "load")], state)
    assert state.ballot is None


def test_a_vote_of_a_former_epoch_is_not_its_own() -> None:
    state, _ = follow([*joined(*NODES), *opened(), recorded("a", "load", epoch=9)])
    assert state.ballot is not None


def test_a_node_that_cannot_load_votes_against() -> None:
    state, _ = read_event(follow([*joined(*NODES), *opened()[:2]])[0], opened()[2])
    state, steps = end_step(state, succeeded(state, reason="settings: x", digest=""))
    assert steps == ("vote",)
    assert state.ballot == Ballot(rollout="r1", phase="load", changes=1, accepted=False, reason="settings: x")


def test_a_result_of_a_phase_that_is_over_changes_nothing() -> None:
    state, _ = follow(prepared())
    late = LocalResult(rollout="r1", phase="load", changes=9, digest=DIGEST)
    assert end_step(state, late) == (state, ())
    ended, _ = follow([ABORTED], state)
    assert end_step(ended, succeeded(state)) == (ended, ())


def test_a_concerned_node_pauses_drains_and_votes() -> None:
    state, steps = follow([requested("pause", 7.0)], follow(prepared())[0])
    assert steps == ["refuse", "drain", "vote"]
    assert not state.admits


def test_a_node_that_is_not_concerned_votes_at_once_and_admits() -> None:
    other = replace(START, services=frozenset({"stats"}))
    state, _ = follow([*joined(*NODES), *opened(SECOND)], other)
    state, steps = follow([requested("pause", 7.0)], state)
    assert (state.admits, steps) == (True, ["vote"])
    assert state.ballot is not None


@pytest.mark.parametrize(
    ("kind", "name", "concerned"),
    [
        ("settings", "", True),
        ("gateway", "", True),
        ("policy", "newbook", True),
        ("policy", "stats", False),
        ("package", "A", False),
    ],
)
def test_which_changes_concern_a_node(kind: Kind, name: str, *, concerned: bool) -> None:
    assert is_concerned(kind, name, START.services, runs_groups=False) is concerned
    assert is_concerned("package", "A", (), runs_groups=True)


def test_a_node_stays_paused_from_its_deployment_to_the_decision() -> None:
    state, steps = follow(deploying())
    assert steps[-2:] == ["deploy", "vote"]
    assert (state.admits, state.deployed) == (False, True)


def test_after_the_commit_a_node_admits_requests_on_the_next_revision() -> None:
    state, steps = follow([COMMITTED], follow(deploying())[0])
    assert (state.revision, state.admits, state.deployed, steps) == (1, True, False, ["settle", "admit"])


def test_a_failed_deployment_leaves_the_node_on_its_revision() -> None:
    state, _ = read_event(follow(deploying()[:-1])[0], deploying()[-1])
    state, _ = end_step(state, succeeded(state, reason="no memory"))
    assert not state.deployed
    assert state.ballot is not None
    assert not state.ballot.accepted


@pytest.mark.parametrize("past", [[*joined(*NODES), *opened()], prepared(), prepared("prepare")])
def test_after_an_abort_a_node_discards_what_it_loaded_and_admits_requests(past: Sequence[Event]) -> None:
    state, steps = follow([ABORTED], follow(past)[0])
    assert (state.revision, state.admits, steps) == (0, True, ["discard", "admit"])
    assert state.rollout == ""


def test_a_node_resumes_as_soon_as_it_has_restored_its_revision() -> None:
    state, steps = follow([ROLLBACK], follow(deploying())[0])
    assert steps == ["restore", "admit", "vote"]
    assert (state.admits, state.deployed) == (True, False)
    assert steps_of([*deploying(), ROLLBACK], ROLLED_BACK) == ["discard", "admit"]


def test_a_node_that_cannot_restore_its_revision_loads_it_again_after_the_rollback() -> None:
    state, _ = read_event(follow(deploying())[0], ROLLBACK)
    state, steps = end_step(state, succeeded(state, reason="no memory"))
    assert (state.admits, steps) == (False, ("refuse", "vote"))
    state, more = follow([ROLLED_BACK], state)
    assert (state.admits, more) == (True, ["synchronise", "admit"])


@pytest.mark.parametrize("past", [joined("a"), prepared("prepare"), deploying()])
def test_an_evicted_node_admits_nothing_and_joins_again(past: Sequence[Event]) -> None:
    state, steps = follow([NodeLeft(node="a", epoch=1, reason="absent")], follow(past)[0])
    assert (state.epoch, state.admits, steps) == (0, False, ["refuse", "join"])
    again = replace(joined("a")[0], epoch=4)
    assert follow([COMMITTED, again], state)[0].epoch == 4


def test_the_end_of_another_node_or_epoch_changes_nothing() -> None:
    for left in (("b", 2), ("a", 7)):
        assert steps_of(joined(*NODES), NodeLeft(node=left[0], epoch=left[1], reason="absent")) == []


# contact is lost


@pytest.mark.parametrize("phase", ["pause", "prepared"])
def test_a_paused_node_without_the_log_resumes_and_votes_against_a_later_deployment(phase: Phase) -> None:
    past = prepared("prepare") if phase == "prepared" else deploying()[:-4]
    state, steps = lose_contact(follow(past)[0])
    assert (state.admits, state.alone, steps) == (True, True, ("admit",))
    state, more = follow([requested("deploy", 2.0)], state)
    assert (state.deployed, more) == (False, ["vote"])
    assert state.ballot is not None
    assert not state.ballot.accepted


def test_a_node_that_pauses_once_more_may_deploy_again() -> None:
    state, _ = lose_contact(follow(prepared("prepare"))[0])
    state, steps = follow([requested("pause", 7.0), requested("deploy", 2.0)], state)
    assert steps == ["refuse", "drain", "vote", "deploy", "vote"]


def test_after_a_deploy_vote_a_node_stays_paused_without_the_log() -> None:
    state = follow(deploying())[0]
    assert lose_contact(state) == (state, ("unready",))


def test_while_it_deploys_or_restores_a_node_stays_paused_without_the_log() -> None:
    for last in (deploying()[-1], ROLLBACK):
        state, _ = read_event(follow(deploying()[:-1])[0], last)
        assert lose_contact(state) == (state, ("unready",))


@pytest.mark.parametrize("past", [[], joined("a"), [*joined(*NODES), *opened()]])
def test_a_node_that_is_not_paused_needs_no_decision(past: Sequence[Event]) -> None:
    state = follow(past)[0]
    assert lose_contact(state) == (state, ())
