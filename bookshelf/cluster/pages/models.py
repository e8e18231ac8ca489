"""What the console shows of the answers of the API, and examples of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import msgspec

from bookshelf.cluster.member import is_concerned
from bookshelf.cluster.rollout_answers import (
    ListedMember,
    ListedRollout,
    RolloutDetails,
    RolloutStep,
)
from bookshelf.cluster.running import RunningNode
from bookshelf.cqrs.handler import Caller
from bookshelf.site.page import _

if TYPE_CHECKING:
    from bookshelf.cqrs.item import Kind

ROOT = "/cluster"
ROLLOUTS, NODES, SESSIONS, LOCKS = (f"{ROOT}/{name}" for name in ("rollouts", "nodes", "sessions", "locks"))
READ, COMMIT = ("cluster:read",), "cluster:commit"
#: The stages of a rollout in their order, by its barrier: it pauses the nodes after the commit, or before.
STAGES: Mapping[str, tuple[str, ...]] = {
    "commit": ("load", "prepared", "pause", "deploy", "committed"),
    "prepare": ("load", "pause", "prepared", "deploy", "committed"),
}
STAGE_NAMES: Mapping[str, str] = {
    "load": _("Load"),
    "pause": _("Pause"),
    "prepared": _("Prepared"),
    "deploy": _("Deploy"),
    "committed": _("In force"),
    "rollback": _("Rolling back"),
}
RESULT_NAMES: Mapping[str, str] = {
    "": _("Open"),
    "committed": _("Committed"),
    "aborted": _("Aborted"),
    "rolled-back": _("Rolled back"),
}
STEP_NAMES: Mapping[str, str] = {
    "rollout-opened": _("Proposed"),
    "phase-requested": _("Next stage"),
    "vote-recorded": _("Vote"),
    "rollout-prepared": _("Prepared"),
    "commit-requested": _("Commit requested"),
    "revision-committed": _("In force on all nodes"),
    "rollout-aborted": _("Aborted"),
    "rollout-rolled-back": _("Rolled back"),
}
LEFT_NAMES: Mapping[str, str] = {
    "left": _("has left"),
    "absent": _("is absent"),
    "replaced": _("is being started again"),
}


class ConsoleLock(msgspec.Struct, frozen=True, kw_only=True):
    """A lock that is held: its holder, its fencing token, and when the lease ends unless it is renewed."""

    name: str
    holder: str
    token: int
    since: datetime
    until: datetime
    ttl_s: float = 0.0


class ConsoleSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session of a client: numbers and times, never what is in it."""

    key: str
    domain: str
    service: str
    opened: datetime
    touched: datetime
    bytes: int
    keys: int
    ended: datetime | None = None
    closed: str = ""


class SessionTotals(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions, with the numbers of all: open ones, those closed lately, bytes of the open ones."""

    open: int
    closed: int
    bytes: int
    sessions: tuple[ConsoleSession, ...]


class Stage(NamedTuple):
    """A stage of a rollout."""

    name: str
    state: Literal["done", "now", "ahead"]


class NodeVote(NamedTuple):
    """What a node has answered in the present stage; `vote` is None while it has not."""

    node: str
    vote: RolloutStep | None


class OpenCard(NamedTuple):
    """The open rollout: stages, votes in the present one, the seconds left, and if the caller can commit."""

    details: RolloutDetails
    stages: tuple[Stage, ...]
    votes: tuple[NodeVote, ...]
    left_s: int
    can_commit: bool


class ConsoleNode(NamedTuple):
    """A node with the groups whose primary it is; `paused`: for the open rollout; `ready`: its service is."""

    member: ListedMember
    primary_of: tuple[str, ...]
    paused: bool
    ready: bool = True


def may_commit(caller: Caller) -> bool:
    """Return True if the caller may commit and roll back."""
    return caller.scopes is None or COMMIT in caller.scopes


def open_card(details: RolloutDetails, now: datetime, *, can_commit: bool) -> OpenCard:
    """Return the open rollout as the overview shows it."""
    rollout = details.rollout
    left_s = 0 if rollout.deadline is None else max(0, round((rollout.deadline - now).total_seconds()))
    prepared = rollout.phase == "prepared" and not rollout.committed
    return OpenCard(details, stages_of(rollout), _votes(details), left_s, can_commit and prepared)


def stages_of(rollout: ListedRollout) -> tuple[Stage, ...]:
    """Return the stages of an open rollout."""
    names = STAGES.get(rollout.barrier, STAGES["commit"])
    if rollout.phase == "rollback":
        names = ("rollback",)
    at = names.index(rollout.phase) if rollout.phase in names else 0
    return tuple(
        Stage(name, "now" if place == at else "done" if place < at else "ahead")
        for place, name in enumerate(names)
    )


def _votes(details: RolloutDetails) -> tuple[NodeVote, ...]:
    """Return the votes since the present stage was requested; of a prepared rollout, those that led to it."""
    cast: dict[str, RolloutStep] = {}
    for step in details.steps:
        if step.type == "phase-requested":
            cast = {}
        elif step.type == "vote-recorded":
            cast[step.node] = step
    return tuple(NodeVote(node, cast.get(node)) for node in details.rollout.members)


def by_service(
    members: Sequence[ListedMember],
    running: Sequence[RunningNode] | None,
    details: RolloutDetails | None,
    locks: Sequence[ConsoleLock],
) -> Mapping[str, tuple[ConsoleNode, ...]]:
    """Return the present nodes by service, with those that run none under the empty name.

    `running`: what is ready; None if that is not known. `details`: the open rollout.
    """
    ready = None if running is None else {one.node: frozenset(one.services) for one in running}
    found: dict[str, list[ConsoleNode]] = {}
    for member in members:
        if member.left:
            continue
        primary_of = tuple(
            lock.name.rsplit(".primary.", 1)[1]
            for lock in locks
            # the holder is a process of the node: `NODE/ID`
            if lock.holder.partition("/")[0] == member.node and ".primary." in lock.name
        )
        here = ready.get(member.node, frozenset[str]()) if ready is not None else frozenset(member.services)
        services = sorted({*member.services, *here})
        paused = details is not None and _is_paused(member, services, details)
        for service in services or [""]:
            # a node without services is ready as long as it is a member
            node = ConsoleNode(member, primary_of, paused, ready=service in here or not service)
            found.setdefault(service, []).append(node)
    return {name: tuple(found[name]) for name in sorted(found)}


def _is_paused(member: ListedMember, services: Sequence[str], details: RolloutDetails) -> bool:
    """Return True if the open rollout pauses a node, as far as it has been requested."""
    rollout = details.rollout
    if member.node not in rollout.members:
        return False
    if not (rollout.phase == "deploy" or rollout.committed or _early(rollout)):
        return False
    return any(
        change.name in services
        if change.kind == "policy"
        else is_concerned(cast("Kind", change.kind), change.name, services, runs_groups=member.runs_groups)
        for change in details.changes
    )


def _early(rollout: ListedRollout) -> bool:
    return rollout.barrier == "prepare" and rollout.phase in {"pause", "prepared"}


def lost_nodes(members: Sequence[ListedMember]) -> tuple[ListedMember, ...]:
    """Return the nodes that have not left by themselves."""
    return tuple(member for member in members if member.left in {"absent", "replaced"})
