"""What the console makes of the answers of the API."""

import msgspec
import pytest

from bookshelf.cluster.pages.example_cluster import (
    NOW,
    example_details,
    example_locks,
    example_members,
    example_rollout,
    example_running,
    long_members,
)
from bookshelf.cluster.pages.models import by_service, lost_nodes, open_card
from bookshelf.cluster.rollout_answers import RolloutStep


def stages(phase: str, barrier: str) -> list[tuple[str, ...]]:
    rollout = example_rollout(phase=phase, barrier=barrier)
    return [tuple(one) for one in open_card(example_details(rollout), NOW, can_commit=True).stages]


@pytest.mark.parametrize(
    ("barrier", "phase", "done", "ahead"),
    [
        ("commit", "load", [], ["prepared", "pause", "deploy", "committed"]),
        ("commit", "prepared", ["load"], ["pause", "deploy", "committed"]),
        ("commit", "pause", ["load", "prepared"], ["deploy", "committed"]),
        ("prepare", "pause", ["load"], ["prepared", "deploy", "committed"]),
        ("prepare", "deploy", ["load", "pause", "prepared"], ["committed"]),
        ("commit", "rollback", [], []),
    ],
)
def test_the_stages_follow_the_barrier(barrier: str, phase: str, done: list[str], ahead: list[str]) -> None:
    found = stages(phase, barrier)
    assert found == [
        *((name, "done") for name in done),
        (phase, "now"),
        *((name, "ahead") for name in ahead),
    ]


def test_each_node_is_shown_with_its_vote_in_the_present_stage() -> None:
    details = example_details(example_rollout(phase="load"))
    votes = open_card(details, NOW, can_commit=True).votes
    assert [(one.node, one.vote is not None) for one in votes] == [
        ("node1", True),
        ("node2", True),
        ("node3", False),
    ]
    details.steps.append(RolloutStep(type="phase-requested", at=NOW, phase="pause"))
    assert [one.vote for one in open_card(details, NOW, can_commit=True).votes] == [None] * 3


@pytest.mark.parametrize(
    ("phase", "result", "scope", "shown"),
    [
        ("prepared", "", "commit", True),
        ("prepared", "", "read", False),
        ("prepared", "committed", "commit", False),
        ("load", "", "commit", False),
    ],
)
def test_a_prepared_rollout_can_be_committed_once(
    phase: str, result: str, scope: str, *, shown: bool
) -> None:
    rollout = msgspec.structs.replace(example_rollout(phase=phase), committed=bool(result))
    card = open_card(example_details(rollout), NOW, can_commit=scope == "commit")
    assert (card.can_commit, card.left_s) == (shown, 16)


def test_nodes_are_grouped_by_their_services_with_what_they_are_primary_of() -> None:
    rollout = example_rollout(phase="deploy")
    services = by_service(example_members(), example_running(), example_details(rollout), example_locks())
    assert list(services) == ["counters", "gateway", "lists", "newbook", "readings"]
    assert [(line.member.node, line.primary_of, line.paused) for line in services["lists"]] == [
        ("node1", ("counters",), True),
        ("node2", (), True),
        ("node3", (), True),
    ]
    assert [line.member.node for line in services["gateway"]] == ["node1"]
    assert [(line.member.node, line.ready) for line in services["readings"]] == [
        ("node1", True),
        ("node2", True),
        ("node3", False),
    ]
    unknown = by_service(example_members(), None, None, ())
    assert not any(line.paused or not line.ready for line in unknown["lists"])
    assert "counters" not in unknown


@pytest.mark.parametrize(("service", "paused"), [("newbook", True), ("elsewhere", False), ("counters", True)])
def test_only_nodes_that_a_policy_concerns_are_shown_as_paused(service: str, *, paused: bool) -> None:
    details = example_details(example_rollout(phase="deploy"))
    policy = msgspec.structs.replace(details.changes[0], kind="policy", name=service)
    details = msgspec.structs.replace(details, changes=[policy])
    lines = by_service(example_members(), example_running(), details, ())["lists"]
    assert [line.paused for line in lines] == [paused] * 3


def test_nodes_that_have_not_left_by_themselves_are_lost() -> None:
    assert [(one.node, one.left) for one in lost_nodes(example_members())] == [("node4", "absent")]
    assert [one.node for one in lost_nodes(long_members())] == ["node4", "node5"]
    assert lost_nodes(example_members()[:3]) == ()
