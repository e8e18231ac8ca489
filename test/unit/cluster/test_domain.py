"""The aggregate `domain`: each command, each stage, and what leads to the end of a rollout."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from support.cluster import (
    AT,
    CHANGE,
    DOMAIN,
    NODES,
    SECOND,
    SECOND_ADDED,
    after,
    deploying,
    join,
    joined,
    opened,
    prepared,
    propose,
    recorded,
    requested,
    vote,
)
from support.spec import given

from bookshelf.cluster.domain_commands import (
    PACKAGE_API,
    CommitRollout,
    EvictNode,
    ExpirePhase,
    LeaveDomain,
    RollBack,
)
from bookshelf.cluster.domain_state import items_after
from bookshelf.cluster.events import (
    CommitRequested,
    Item,
    NodeLeft,
    Phase,
    PhaseRequested,
    RevisionCommitted,
    RolloutAborted,
    RolloutPrepared,
    RolloutRolledBack,
)
from bookshelf.cqrs.errors import Conflict, Invalid
from bookshelf.cqrs.item import ItemChange
from bookshelf.cqrs.message import Event

COMMIT = CommitRollout(rollout="r1", changes=1, actor="ann", at=AT)
ROLL_BACK = RollBack(rollout="r1", actor="ann", at=AT)
THREE = joined(*NODES)
LOADING = [*THREE, *opened()]
COMMITTED = RevisionCommitted(rollout="r1", revision=1, items=items_after((), [CHANGE], 1))


def committed() -> list[Event]:
    return [*deploying(), *(recorded(node, "deploy") for node in NODES), COMMITTED]


def pausing() -> list[Event]:
    request = CommitRequested(rollout="r1", changes=1, actor="ann")
    return [*prepared(), request, requested("pause", 7.0)]


# members


def test_a_node_that_joins_gets_the_next_epoch() -> None:
    given(DOMAIN, *joined("a")).when(join("b")).then(joined("a", "b")[1])


def test_a_node_that_joins_twice_stays() -> None:
    given(DOMAIN, *joined("a")).when(join("a")).then()


def test_a_restarted_node_is_removed_first_and_has_another_epoch_then() -> None:
    left = NodeLeft(node="a", epoch=1, reason="replaced")
    given(DOMAIN, *joined("a")).when(join("a", "a-2")).then(left)
    domain = DOMAIN.fold([*joined("a"), left])
    (again,) = DOMAIN.decide(domain, join("a", "a-2"))
    assert again.epoch == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("past", "command", "reason"),
    [
        (LOADING[1:], join("a"), "r1 is open"),
        (committed(), join("d"), "revision 1, not 0"),
        (THREE, join("d", package_api=PACKAGE_API + 1), "package API"),
    ],
)
def test_a_node_is_refused(past: Sequence[Event], command: object, reason: str) -> None:
    given(DOMAIN, *past).when(command).refused(Conflict, reason)  # type: ignore[arg-type]


def test_a_domain_has_at_most_a_thousand_nodes() -> None:
    some = joined("a")[0]
    nodes = [type(some)(**{**fields(some), "node": f"n{n:04}", "epoch": n + 1}) for n in range(1000)]
    given(DOMAIN, *nodes).when(join("b")).refused(Conflict, "at most 1000")


def fields(event: Event) -> dict[str, object]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def test_a_node_that_leaves_is_not_waited_for() -> None:
    past = [*LOADING, recorded("a", "load"), recorded("b", "load")]
    left = NodeLeft(node="c", epoch=3, reason="left")
    ready = RolloutPrepared(rollout="r1", changes=1, deadline=after(20))
    given(DOMAIN, *past).when(LeaveDomain(node="c", epoch=3, at=AT)).then(left, ready)


def test_a_node_that_is_evicted_votes_against_an_open_rollout() -> None:
    against = recorded("c", "load", accepted=False, reason="the node is absent")
    left = NodeLeft(node="c", epoch=3, reason="absent")
    aborted = RolloutAborted(rollout="r1", reason="c: the node is absent", node="c")
    given(DOMAIN, *LOADING).when(EvictNode(node="c", epoch=3, at=AT)).then(against, left, aborted)


@pytest.mark.parametrize("command", [EvictNode, LeaveDomain])
def test_a_node_of_another_epoch_stays(command: type[EvictNode] | type[LeaveDomain]) -> None:
    given(DOMAIN, *THREE).when(command(node="c", epoch=2, at=AT)).then()


def test_an_evicted_node_makes_a_deployment_roll_back() -> None:
    against = recorded("c", "deploy", accepted=False, reason="the node is absent")
    left = NodeLeft(node="c", epoch=3, reason="absent")
    back = requested("rollback", None, members=("a", "b"), reason="c: the node is absent")
    given(DOMAIN, *deploying()).when(EvictNode(node="c", epoch=3, at=AT)).then(against, left, back)


@pytest.mark.parametrize("phase", ["load", "pause", "deploy"])
def test_a_phase_without_remaining_members_ends_at_once(phase: str) -> None:
    past = {"load": LOADING, "pause": pausing(), "deploy": deploying()}[phase]
    left = [NodeLeft(node=node, epoch=epoch, reason="left") for epoch, node in enumerate("ab", 1)]
    last = NodeLeft(node="c", epoch=3, reason="left")
    if phase == "deploy":
        end: list[Event] = [
            requested("rollback", None, members=(), reason="no node is left"),
            RolloutRolledBack(rollout="r1", reason="no node is left"),
        ]
    else:
        end = [RolloutAborted(rollout="r1", reason="no node is left")]
    given(DOMAIN, *past, *left).when(LeaveDomain(node="c", epoch=3, at=AT)).then(last, *end)


def test_a_proposal_without_members_is_aborted() -> None:
    decided = DOMAIN.decide(DOMAIN.initial, propose())
    assert decided[-1] == RolloutAborted(rollout="r1", reason="no node is left")


# proposals


def test_a_proposal_opens_a_rollout() -> None:
    given(DOMAIN, *THREE).when(propose()).then(*opened())


def test_a_package_has_more_time_to_load() -> None:
    package = ItemChange(kind="package", name="A", action="put", digest="d9")
    request = DOMAIN.decide(DOMAIN.fold(THREE), propose(package))[-1]
    assert isinstance(request, PhaseRequested)
    assert request.deadline == after(30)


def test_a_change_that_changes_nothing_opens_no_rollout() -> None:
    given(DOMAIN, *committed()).when(propose(CHANGE, id="r2")).then()
    unload = ItemChange(kind="package", name="A", action="remove")
    given(DOMAIN, *THREE).when(propose(unload)).then()


def test_a_rollout_has_at_most_200_changes_and_a_domain_1000_nodes() -> None:
    def changes(number: int) -> list[ItemChange]:
        return [ItemChange(kind="policy", name=f"s{n}", action="put", digest="d") for n in range(number)]

    assert len(DOMAIN.decide(DOMAIN.fold(THREE), propose(*changes(200)))) > 200
    given(DOMAIN, *THREE).when(propose(*changes(201))).refused(Invalid, "at most 200", field="changes")
    extended = [*prepared(), *[replace(SECOND_ADDED, n=n, name=f"s{n}") for n in range(2, 201)]]
    given(DOMAIN, *extended).when(propose(SECOND)).refused(Invalid, "at most 200", field="changes")
    full = joined(*(f"n{n}" for n in range(1000)))
    given(DOMAIN, *full).when(join("d")).refused(Conflict, "at most 1000 nodes")


def test_another_change_extends_ones_own_rollout() -> None:
    request = requested("load", 2.0, changes=2)
    given(DOMAIN, *prepared()).when(propose(SECOND, id="r2")).then(SECOND_ADDED, request)


def test_another_administrator_extends_a_rollout_only_by_its_name() -> None:
    given(DOMAIN, *prepared()).when(propose(SECOND, actor="bob")).refused(Conflict, "r1 of ann .* prepared")
    request = requested("load", 2.0, changes=2)
    named = propose(SECOND, actor="bob", rollout="r1")
    given(DOMAIN, *prepared()).when(named).then(SECOND_ADDED, request)


@pytest.mark.parametrize("past", [pausing(), deploying()])
def test_a_committed_rollout_is_not_extended(past: Sequence[Event]) -> None:
    given(DOMAIN, *past).when(propose(SECOND)).refused(Conflict, "r1 of ann")


def test_a_named_rollout_must_be_open() -> None:
    given(DOMAIN, *THREE).when(propose(rollout="r9")).refused(Conflict, "r9 is not open")
    given(DOMAIN, *prepared()).when(propose(SECOND, rollout="r9")).refused(Conflict, "r9 is not")


def test_the_content_and_the_number_of_changes_are_limited() -> None:
    large = ItemChange(kind="settings", name="", action="put", digest="d9", content="x" * (64 * 1024 + 1))
    given(DOMAIN, *THREE).when(propose(large)).refused(Invalid, "64 KiB", field="changes")
    many = [ItemChange(kind="policy", name=f"s{n}", action="put", digest="d9") for n in range(201)]
    given(DOMAIN, *THREE).when(propose(*many)).refused(Invalid, "at most 200", field="changes")


# the stages, from the first vote to the last


def last_vote(phase: Phase) -> tuple[Event, ...]:
    return tuple(recorded(node, phase) for node in NODES[:2])


def test_after_the_last_load_vote_a_rollout_is_prepared() -> None:
    ready = RolloutPrepared(rollout="r1", changes=1, deadline=after(20))
    given(DOMAIN, *LOADING, *last_vote("load")).when(vote("c", "load")).then(recorded("c", "load"), ready)


def test_with_the_barrier_prepare_nodes_pause_after_the_last_load_vote() -> None:
    past = [*THREE, *opened(barrier="prepare"), *last_vote("load")]
    given(DOMAIN, *past).when(vote("c", "load")).then(recorded("c", "load"), requested("pause", 7.0))
    past += [recorded("c", "load"), requested("pause", 7.0), *last_vote("pause")]
    ready = RolloutPrepared(rollout="r1", changes=1, deadline=after(20))
    given(DOMAIN, *past).when(vote("c", "pause")).then(recorded("c", "pause"), ready)


def test_a_commit_pauses_the_nodes_or_deploys_if_they_are_paused() -> None:
    request = CommitRequested(rollout="r1", changes=1, actor="ann")
    given(DOMAIN, *prepared()).when(COMMIT).then(request, requested("pause", 7.0))
    given(DOMAIN, *prepared("prepare")).when(COMMIT).then(request, requested("deploy", 2.0))


def test_after_the_last_pause_vote_of_a_commit_the_nodes_deploy() -> None:
    past = [*pausing(), *last_vote("pause")]
    given(DOMAIN, *past).when(vote("c", "pause")).then(recorded("c", "pause"), requested("deploy", 2.0))


def test_after_the_last_deploy_vote_the_revision_is_committed() -> None:
    past = [*deploying(), *last_vote("deploy")]
    given(DOMAIN, *past).when(vote("c", "deploy")).then(recorded("c", "deploy"), COMMITTED)
    domain = DOMAIN.fold(committed())
    assert (domain.revision, domain.rollout) == (1, None)
    assert domain.items == (Item(kind="settings", digest="d1", revision=1),)
    assert [(each.id, each.result, each.revision) for each in domain.results] == [("r1", "committed", 1)]
    assert domain.contents == (CHANGE,)


def test_after_the_last_vote_of_a_rollback_it_has_ended() -> None:
    past = [*deploying(), requested("rollback", None, reason="a: no"), *last_vote("rollback")]
    end = RolloutRolledBack(rollout="r1", reason="a: no")
    given(DOMAIN, *past).when(vote("c", "rollback")).then(recorded("c", "rollback"), end)


def test_a_node_that_cannot_restore_its_revision_does_not_keep_the_rollback_open() -> None:
    past = [*deploying(), requested("rollback", None, reason="a: no"), *last_vote("rollback")]
    end = RolloutRolledBack(rollout="r1", reason="a: no")
    against = recorded("c", "rollback", accepted=False)
    given(DOMAIN, *past).when(vote("c", "rollback", accepted=False)).then(against, end)


@pytest.mark.parametrize(("phase", "past"), [("load", LOADING), ("pause", pausing())])
def test_a_negative_vote_before_the_deployment_aborts(phase: Phase, past: Sequence[Event]) -> None:
    end = RolloutAborted(rollout="r1", reason="b: it does not load", node="b")
    against = recorded("b", phase, accepted=False)
    given(DOMAIN, *past).when(vote("b", phase, accepted=False)).then(against, end)


def test_a_negative_vote_in_the_deployment_rolls_back() -> None:
    back = requested("rollback", None, reason="b: it does not load")
    against = recorded("b", "deploy", accepted=False)
    given(DOMAIN, *deploying()).when(vote("b", "deploy", accepted=False)).then(against, back)


@pytest.mark.parametrize(("phase", "past"), [("load", LOADING), ("deploy", deploying())])
def test_a_vote_with_another_digest_is_negative(phase: Phase, past: Sequence[Event]) -> None:
    against = vote("b", phase, digest="other")
    decided = DOMAIN.decide(DOMAIN.fold(past), against)
    assert decided[0] == recorded(
        "b", phase, accepted=False, digest="other", reason="the node has another digest"
    )
    assert len(decided) == 2


@pytest.mark.parametrize(
    "late",
    [
        vote("b", "load", rollout="r0"),
        vote("b", "pause"),
        vote("b", "load", changes=2),
        vote("b", "load", epoch=7),
        vote("a", "load"),
    ],
    ids=["another rollout", "another phase", "other changes", "another epoch", "a repetition"],
)
def test_a_vote_that_does_not_count_is_ignored(late: object) -> None:
    given(DOMAIN, *LOADING, recorded("a", "load")).when(late).then()  # type: ignore[arg-type]


def test_a_vote_without_a_rollout_or_of_an_unknown_node_is_ignored() -> None:
    given(DOMAIN, *THREE).when(vote("a", "load")).then()
    given(DOMAIN, *joined("a"), *opened()).when(vote("b", "load")).then()


def test_a_vote_in_the_prepared_stage_is_ignored() -> None:
    given(DOMAIN, *prepared()).when(vote("a", "prepared")).then()


# commit and rollback by an administrator


def test_a_commit_must_have_seen_all_changes_of_a_prepared_rollout() -> None:
    given(DOMAIN, *LOADING).when(COMMIT).refused(Conflict, "not prepared; it is in phase load")
    more = CommitRollout(rollout="r1", changes=2, actor="ann", at=AT)
    given(DOMAIN, *prepared()).when(more).refused(Conflict, "has 1 changes, not 2")
    given(DOMAIN, *THREE).when(COMMIT).refused(Conflict, "not open")


@pytest.mark.parametrize("past", [pausing(), deploying(), committed()])
def test_a_repeated_commit_changes_nothing(past: Sequence[Event]) -> None:
    given(DOMAIN, *past).when(COMMIT).then()


@pytest.mark.parametrize("past", [LOADING, prepared(), pausing()])
def test_a_rollback_before_the_deployment_aborts(past: Sequence[Event]) -> None:
    end = RolloutAborted(rollout="r1", reason="rolled back by ann")
    given(DOMAIN, *past).when(ROLL_BACK).then(end)
    given(DOMAIN, *past, end).when(ROLL_BACK).then()


def test_a_rollback_of_a_deployment_asks_every_member() -> None:
    back = requested("rollback", None, reason="rolled back by ann")
    given(DOMAIN, *deploying()).when(ROLL_BACK).then(back)
    given(DOMAIN, *deploying(), back).when(ROLL_BACK).then()


def test_a_committed_rollout_is_not_rolled_back() -> None:
    given(DOMAIN, *committed()).when(ROLL_BACK).refused(Conflict, "has ended: committed")
    given(DOMAIN, *THREE).when(ROLL_BACK).refused(Conflict, "is not open")


# time limits


def expiry(past: Sequence[Event]) -> ExpirePhase:
    assert DOMAIN.due is not None
    upcoming = DOMAIN.due(DOMAIN.fold(past))
    assert upcoming is not None
    when, command = upcoming
    assert isinstance(command, ExpirePhase)
    assert command.at == when
    return command


@pytest.mark.parametrize(("phase", "past"), [("load", LOADING), ("pause", pausing())])
def test_silent_nodes_abort_a_rollout(phase: Phase, past: Sequence[Event]) -> None:
    voted = [*past, recorded("a", phase)]
    against = [recorded(node, phase, accepted=False, reason="the node was silent") for node in "bc"]
    reason = "b: the node was silent; c: the node was silent"
    end = RolloutAborted(rollout="r1", reason=reason, node="b")
    given(DOMAIN, *voted).when(expiry(voted)).then(*against, end)


def test_a_silent_node_rolls_a_deployment_back() -> None:
    past = [*deploying(), *last_vote("deploy")]
    against = recorded("c", "deploy", accepted=False, reason="the node was silent")
    back = requested("rollback", None, reason="c: the node was silent")
    given(DOMAIN, *past).when(expiry(past)).then(against, back)


def test_a_rollout_without_a_commit_is_aborted() -> None:
    end = RolloutAborted(rollout="r1", reason="there was no commit in time")
    given(DOMAIN, *prepared()).when(expiry(prepared())).then(end)
    assert expiry(prepared()).at == after(20)


def test_a_deadline_of_a_former_phase_changes_nothing() -> None:
    given(DOMAIN, *prepared()).when(expiry(LOADING)).then()
    given(DOMAIN, *THREE).when(expiry(LOADING)).then()


def test_a_rollback_has_no_deadline() -> None:
    assert DOMAIN.due is not None
    assert DOMAIN.due(DOMAIN.fold([*deploying(), requested("rollback", None)])) is None
