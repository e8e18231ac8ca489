"""Examples of domains, for the states of the console's pages."""

from datetime import UTC, datetime, timedelta

import msgspec

from bookshelf.cluster.node_differences import NodeDifference
from bookshelf.cluster.pages.models import ConsoleLock, ConsoleSession, SessionTotals
from bookshelf.cluster.rollout_answers import (
    ListedMember,
    ListedRollout,
    RolloutChange,
    RolloutDetails,
    RolloutStep,
)
from bookshelf.cluster.running import RunningNode

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
_SERVICES = ("newbook", "lists", "readings")
_LONG = "Wolfeschlegelsteinhausenbergerdorff" * 3


def example_members() -> tuple[ListedMember, ...]:
    """Return three members, and one that is absent."""
    return (*(_member(f"node{n}") for n in (1, 2, 3)), _member("node4", left="absent"))


def _member(node: str, version: str = "0.1.0", left: str = "") -> ListedMember:
    return ListedMember(
        domain="blue",
        node=node,
        epoch=17,
        address=f"https://{node}.example.org:9444",
        services=list(_SERVICES),
        runs_groups=True,
        version=version,
        revision=41,
        since=NOW - timedelta(hours=3),
        left=left,
    )


def long_members() -> tuple[ListedMember, ...]:
    """Return members with long names and different versions."""
    return (_member(_LONG, "0.2.0"), *example_members(), _member("node5", left="replaced"))


def example_running() -> tuple[RunningNode, ...]:
    """Return what they run: a service of a group beside their own, a gateway; a service is not ready."""
    return (
        RunningNode(node="node1", services=["counters", "gateway", *_SERVICES]),
        RunningNode(node="node2", services=["counters", *_SERVICES]),
        RunningNode(node="node3", services=["counters", "lists", "newbook"]),
    )


def example_differences() -> tuple[NodeDifference, ...]:
    """Return a difference of each kind."""
    return (
        NodeDifference(kind="version", nodes=("node1",), here="0.1.0", there="0.2.0"),
        NodeDifference(kind="revision", nodes=("node2", "node3"), here="40", there="41"),
        NodeDifference(kind="items", nodes=("node1",), here="5f" * 6, there="6e" * 6),
        NodeDifference(kind="settings", nodes=("node1",), names=("cluster_drain_s", "gateway_deadline_s")),
        NodeDifference(kind="settings", nodes=("node3",), names=("accounts_issuer",)),
        NodeDifference(kind="single", names=("rollouts", "sessions")),
    )


def example_rollout(result: str = "", phase: str = "prepared", **fields: str) -> ListedRollout:
    """Return a rollout of two changes."""
    rollout = ListedRollout(
        domain="blue",
        id="0190a5a4-3b00-7000-8000-000000000041",
        opened=NOW - timedelta(seconds=4),
        actor="ann",
        barrier="commit",
        phase=phase,
        committed=result == "committed",
        changes=2,
        members=["node1", "node2", "node3"],
        revision=42 if result == "committed" else 41,
        deadline=None if result else NOW + timedelta(seconds=16),
        result=result,
        ended=NOW if result else None,
    )
    return msgspec.structs.replace(rollout, **fields)


def example_details(rollout: ListedRollout) -> RolloutDetails:
    """Return what has happened in a rollout: two nodes have voted."""
    from_start = (
        ("rollout-opened", "", "", True, ""),
        ("phase-requested", "load", "", True, ""),
        ("vote-recorded", "load", "node1", True, ""),
        ("vote-recorded", "load", "node2", not rollout.reason, rollout.reason),
    )
    steps = [
        RolloutStep(
            type=kind,
            at=rollout.opened + timedelta(milliseconds=12 * place),
            actor="ann" if not place else "",
            phase=phase,
            node=node,
            accepted=accepted,
            took_ms=7 * place if node else 0,
            reason=reason,
        )
        for place, (kind, phase, node, accepted, reason) in enumerate(from_start)
    ]
    changes = [
        _change(1, "settings", "", 'log_level = "debug"\n'),
        _change(2, "policy", "newbook", "deadline_s = 2\n"),
    ]
    return RolloutDetails(rollout=rollout, changes=changes, steps=steps)


def _change(n: int, kind: str, name: str, content: str) -> RolloutChange:
    return RolloutChange(n=n, kind=kind, name=name, action="put", digest="5f" * 32, content=content)


def example_locks() -> tuple[ConsoleLock, ...]:
    """Return two locks."""
    names = ("blue.primary.counters", "nightly")
    return tuple(
        ConsoleLock(
            name=name,
            holder=f"node{place}/0190a5a4-3b00-7000-8000-00000000004{place}",
            token=1042 + place,
            since=NOW - timedelta(hours=place),
            until=NOW + timedelta(seconds=2),
            ttl_s=3.0,
        )
        for place, name in enumerate(names, start=1)
    )


def example_sessions() -> SessionTotals:
    """Return an open session, and one that is closed."""
    return SessionTotals(
        open=1,
        closed=1,
        bytes=4211,
        sessions=(_session("Zk3yO0mYw8Qb7c1dXv2L_g", ""), _session("aB3yO0mYw8Qb7c1dXv2L_g", "idle")),
    )


def _session(key: str, closed: str) -> ConsoleSession:
    return ConsoleSession(
        key=key,
        domain="blue",
        service="counter",
        opened=NOW - timedelta(hours=2),
        touched=NOW - timedelta(minutes=2),
        bytes=0 if closed else 4211,
        keys=0 if closed else 3,
        ended=NOW if closed else None,
        closed=closed,
    )
