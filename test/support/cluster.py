"""A domain of three nodes, and the events of a rollout in it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bookshelf.cluster.domain import RolloutLimits, domain_aggregate
from bookshelf.cluster.domain_commands import JoinDomain, ProposeChanges, RecordVote
from bookshelf.cluster.domain_state import items_after, revision_digest
from bookshelf.cluster.events import (
    ChangeAdded,
    CommitRequested,
    NodeJoined,
    Phase,
    PhaseRequested,
    RolloutOpened,
    RolloutPrepared,
    VoteRecorded,
)
from bookshelf.cqrs.item import ItemChange
from bookshelf.cqrs.message import Event

AT = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
NODES = ("a", "b", "c")
LIMITS = RolloutLimits()
DOMAIN = domain_aggregate(LIMITS)
CHANGE = ItemChange(kind="settings", name="", action="put", digest="d1", content="log_level = 'debug'\n")
DIGEST = revision_digest(items_after((), [CHANGE], 1))
SECOND = ItemChange(kind="policy", name="newbook", action="put", digest="d2", content="state = 'closed'\n")
SECOND_ADDED = ChangeAdded(
    rollout="r1", n=2, kind="policy", name="newbook", action="put", digest="d2", content=SECOND.content
)


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def join(node: str, instance: str = "", **fields: Any) -> JoinDomain:  # noqa: ANN401 (any fields)
    values: dict[str, Any] = {
        "node": node,
        "instance": instance or f"{node}-1",
        "address": f"http://{node}:8130",
        "services": ("newbook",),
        "version": "1",
        "revision": 0,
        "at": AT,
    }
    return JoinDomain(**values | fields)


def joined(*nodes: str) -> list[Event]:
    """The events of nodes that have joined at revision 0."""
    return [
        NodeJoined(
            node=node,
            instance=f"{node}-1",
            epoch=epoch,
            address=f"http://{node}:8130",
            services=("newbook",),
            version="1",
            revision=0,
        )
        for epoch, node in enumerate(nodes, 1)
    ]


def propose(*changes: ItemChange, **fields: Any) -> ProposeChanges:  # noqa: ANN401 (any fields)
    values: dict[str, Any] = {"id": "r1", "actor": "ann", "changes": changes or (CHANGE,), "at": AT}
    return ProposeChanges(**values | fields)


def opened(change: ItemChange = CHANGE, **fields: Any) -> list[Event]:  # noqa: ANN401 (any fields)
    """The events of a proposal, as far as the first phase is requested."""
    values: dict[str, Any] = {"rollout": "r1", "actor": "ann", "barrier": "commit", "revision": 0}
    return [
        RolloutOpened(**values | fields),
        ChangeAdded(
            rollout="r1",
            n=1,
            kind=change.kind,
            name=change.name,
            action=change.action,
            digest=change.digest,
            content=change.content,
        ),
        requested("load", 2.0),
    ]


def requested(phase: Phase, seconds: float | None, changes: int = 1, **fields: Any) -> PhaseRequested:  # noqa: ANN401
    values: dict[str, Any] = {
        "rollout": "r1",
        "phase": phase,
        "changes": changes,
        "members": NODES,
        "deadline": None if seconds is None else after(seconds),
    }
    return PhaseRequested(**values | fields)


def vote(node: str, phase: Phase, *, accepted: bool = True, **fields: Any) -> RecordVote:  # noqa: ANN401
    values: dict[str, Any] = {
        "rollout": "r1",
        "phase": phase,
        "changes": 1,
        "node": node,
        "epoch": NODES.index(node) + 1,
        "accepted": accepted,
        "digest": DIGEST if accepted else "",
        "reason": "" if accepted else "it does not load",
        "at": AT,
    }
    return RecordVote(**values | fields)


def recorded(node: str, phase: Phase, *, accepted: bool = True, **fields: Any) -> VoteRecorded:  # noqa: ANN401
    values: dict[str, Any] = {
        "rollout": "r1",
        "phase": phase,
        "changes": 1,
        "node": node,
        "epoch": NODES.index(node) + 1,
        "accepted": accepted,
        "digest": DIGEST if accepted else "",
        "reason": "" if accepted else "it does not load",
    }
    return VoteRecorded(**values | fields)


def prepared(barrier: str = "commit") -> list[Event]:
    """The events of a rollout of three nodes that waits for its commit."""
    events = [*joined(*NODES), *opened(barrier=barrier), *(recorded(node, "load") for node in NODES)]
    if barrier == "prepare":
        events += [requested("pause", 7.0), *(recorded(node, "pause") for node in NODES)]
    return [*events, RolloutPrepared(rollout="r1", changes=1, deadline=after(20.0))]


def deploying() -> list[Event]:
    """The events of a committed rollout that its three nodes are to deploy."""
    return [
        *prepared(),
        CommitRequested(rollout="r1", changes=1, actor="ann"),
        requested("pause", 7.0),
        *(recorded(node, "pause") for node in NODES),
        requested("deploy", 2.0),
    ]
