"""What a node does in a rollout: a pure state machine. Its agent reads the log and carries out the steps.

Each function takes the state, and something that has happened: a record that was read, a local operation that
has ended, a loss of contact. It returns the new state, and the steps to carry out, in this order.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from bookshelf.cluster.events import (
    ChangeAdded,
    NodeJoined,
    NodeLeft,
    Phase,
    PhaseRequested,
    RevisionCommitted,
    RolloutAborted,
    RolloutOpened,
    RolloutRolledBack,
    VoteRecorded,
)
from bookshelf.cqrs.item import Kind
from bookshelf.cqrs.message import Event

#: admit, refuse: admit new requests, or answer them `reloading`. load: check and load all changes. drain:
#: wait for the requests in progress. deploy: replace the current revision by the next. restore: the reverse.
#: settle: give up the former revision. discard: give up what was loaded. vote: send the vote until it is
#: recorded. synchronise: load the revision of the domain, and nothing else. join: the same once no rollout is
#: open, then join the domain. unready: state that the node is not ready.
Step = Literal[
    "admit",
    "refuse",
    "load",
    "drain",
    "deploy",
    "restore",
    "settle",
    "discard",
    "vote",
    "synchronise",
    "join",
    "unready",
]


class Ballot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A vote that is not recorded yet."""

    rollout: str
    phase: Phase
    changes: int
    accepted: bool
    digest: str = ""
    reason: str = ""


class NodeState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node. It is a member from `epoch` 1 on.

    `admits`: it answers new requests. `deployed`: it has replaced its revision by the next one, and the
    decision is not read yet. `alone`: it has resumed on its revision without the log. `broken`: it could not
    restore its revision.
    """

    node: str
    instance: str
    services: frozenset[str] = frozenset()
    runs_groups: bool = False
    epoch: int = 0
    revision: int = 0
    admits: bool = False
    rollout: str = ""
    changes: int = 0
    concerned: bool = False
    phase: Phase | None = None
    deployed: bool = False
    alone: bool = False
    broken: bool = False
    ballot: Ballot | None = None


class Transition(NamedTuple):
    """The state of a node after something has happened, and the steps that it is to carry out."""

    state: NodeState
    steps: tuple[Step, ...] = ()


class LocalResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a step of a phase has ended: what is loaded then, as a digest, or why it has failed."""

    rollout: str
    phase: Phase
    changes: int
    digest: str = ""
    reason: str = ""


def is_concerned(kind: Kind, name: str, services: Iterable[str], *, runs_groups: bool) -> bool:
    """Return True if a node with these services is paused while this item changes.

    Groups come and go, and a policy may be for one of their services: then its gate alone is closed.
    """
    match kind:
        case "settings" | "gateway":
            return True
        case "policy":
            return name in services or runs_groups
        case "package":
            return runs_groups


def read_event(state: NodeState, event: Event) -> Transition:
    """Return what follows from an event of the domain, which every node reads in the same order."""
    match event:
        case NodeJoined(node=state.node, instance=state.instance):
            joined = replace(state, epoch=event.epoch, revision=event.revision, admits=True)
            return Transition(joined, ("admit",))
        case NodeLeft(node=state.node, epoch=state.epoch) if state.epoch:
            return Transition(_outside(state), ("refuse", "join"))
    return _read_of_rollout(state, event) if state.epoch else Transition(state)


def _outside(state: NodeState) -> NodeState:
    """Return the state of a node that is no member: it follows the log, and joins again."""
    return NodeState(
        node=state.node,
        instance=state.instance,
        services=state.services,
        runs_groups=state.runs_groups,
        revision=state.revision,
    )


def _read_of_rollout(state: NodeState, event: Event) -> Transition:
    match event:
        case RolloutOpened(rollout=rollout):
            return Transition(replace(_without_rollout(state), rollout=rollout))
        case ChangeAdded(kind=kind, name=name):
            concerned = is_concerned(kind, name, state.services, runs_groups=state.runs_groups)
            more = replace(state, changes=event.n, concerned=state.concerned or concerned)
            return Transition(more)
        case PhaseRequested():
            return _begin_phase(replace(state, phase=event.phase, ballot=None))
        case VoteRecorded(node=state.node, epoch=state.epoch):
            return Transition(_recorded(state, event))
        case RevisionCommitted() | RolloutAborted() | RolloutRolledBack():
            return _end(state, event)
    return Transition(state)


def _without_rollout(state: NodeState) -> NodeState:
    return replace(
        state,
        rollout="",
        changes=0,
        concerned=False,
        phase=None,
        deployed=False,
        alone=False,
        broken=False,
        ballot=None,
    )


def _begin_phase(state: NodeState) -> Transition:  # noqa: PLR0911 (one for each phase)
    match state.phase:
        case "load":
            return Transition(state, ("load",))
        case "pause" if state.concerned:
            return Transition(replace(state, admits=False, alone=False), ("refuse", "drain"))
        case "pause":
            return Transition(replace(state, ballot=_ballot(state)), ("vote",))
        case "deploy" if state.alone:
            reason = "the node had resumed before the decision"
            return Transition(replace(state, ballot=_ballot(state, reason=reason)), ("vote",))
        case "deploy":
            return Transition(state, ("deploy",))
        case "rollback":
            return Transition(state, ("restore",))
    return Transition(state)


def _ballot(state: NodeState, digest: str = "", reason: str = "") -> Ballot:
    assert state.phase is not None  # noqa: S101 (votes are for phases)
    return Ballot(
        rollout=state.rollout,
        phase=state.phase,
        changes=state.changes,
        accepted=not reason,
        digest=digest,
        reason=reason,
    )


def _recorded(state: NodeState, event: VoteRecorded) -> NodeState:
    ballot = state.ballot
    if ballot is None or (ballot.phase, ballot.changes) != (event.phase, event.changes):
        return state
    return replace(state, ballot=None)


def _end(state: NodeState, event: RevisionCommitted | RolloutAborted | RolloutRolledBack) -> Transition:
    """Return the state on the revision that was decided: it admits requests again."""
    ended = replace(_without_rollout(state), admits=True)
    if isinstance(event, RevisionCommitted):
        step: Step = "settle" if state.deployed else "synchronise"
        return Transition(replace(ended, revision=event.revision), (step, "admit"))
    return Transition(ended, ("synchronise" if state.broken else "discard", "admit"))


def end_step(state: NodeState, result: LocalResult) -> Transition:
    """Return what follows when the step of a phase has ended; nothing if the phase is over by then."""
    if (result.rollout, result.phase, result.changes) != (state.rollout, state.phase, state.changes):
        return Transition(state)
    voting = replace(state, ballot=_ballot(state, result.digest, result.reason))
    if state.phase == "deploy":
        return Transition(replace(voting, deployed=not result.reason), ("vote",))
    if state.phase != "rollback":
        return Transition(voting, ("vote",))
    if result.reason:
        return Transition(replace(voting, broken=True, admits=False), ("refuse", "vote"))
    return Transition(replace(voting, deployed=False, admits=True), ("admit", "vote"))


def lose_contact(state: NodeState) -> Transition:
    """Return what follows when a paused node cannot read the decision in time, because the log is away.

    It resumes on its revision, unless it deploys, has voted for deployment or restores: the others may have
    decided.
    """
    if state.admits or not state.rollout or not state.epoch:
        return Transition(state)
    refused = state.ballot is not None and not state.ballot.accepted
    if state.deployed or state.broken or (state.phase in {"deploy", "rollback"} and not refused):
        return Transition(state, ("unready",))
    return Transition(replace(state, admits=True, alone=True), ("admit",))
