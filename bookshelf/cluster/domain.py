"""The aggregate `domain`: rollouts to all its nodes, or to none. Its key is the name of the domain.

Two-phase commit with the votes, the time limits and the decision in the log (Gray and Lamport, "Consensus on
Transaction Commit"): the next owner of the partition decides from the same events as the former one.
"""

import re
from datetime import datetime, timedelta
from functools import partial, reduce
from typing import Literal

import msgspec

from bookshelf.cluster.domain_commands import (
    PACKAGE_API,
    CommitRollout,
    EvictNode,
    ExpirePhase,
    JoinDomain,
    LeaveDomain,
    ProposeChanges,
    RecordVote,
    RollBack,
)
from bookshelf.cluster.domain_state import (
    Domain,
    DomainMember,
    OpenRollout,
    evolve,
    next_items,
    revision_digest,
)
from bookshelf.cluster.events import (
    DOMAIN_EVENTS,
    EVENTS,
    TOPIC,
    ChangeAdded,
    CommitRequested,
    NodeJoined,
    NodeLeft,
    Phase,
    PhaseRequested,
    RevisionCommitted,
    RolloutAborted,
    RolloutOpened,
    RolloutPrepared,
    RolloutRolledBack,
    VoteRecorded,
)
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Invalid
from bookshelf.cqrs.item import CONTENT_BYTES, ItemChange
from bookshelf.cqrs.message import Command, Event

MOST_MEMBERS, MOST_CHANGES = 1000, 200
#: Why a node has failed that has not voted in time.
_SILENT = "the node was silent"
#: How many of them a reason names.
_NAMED = 20


class RolloutLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The time limits of the phases, in seconds."""

    notification_wait_s: float = 2.0
    load_s: float = 30.0
    drain_s: float = 5.0
    commit_timeout_s: float = 20.0


def decide(domain: Domain, command: Command, limits: RolloutLimits) -> list[Event]:  # noqa: PLR0911 (one each)
    """Return the events of a command, and what they lead to. Raises `Conflict`, `Invalid`."""
    match command:
        case JoinDomain():
            return _join(domain, command, limits)
        case LeaveDomain(node=node, epoch=epoch, at=at):
            return _remove(domain, domain.member(node), epoch, "left", at, limits)
        case EvictNode(node=node, epoch=epoch, at=at):
            return _remove(domain, domain.member(node), epoch, "absent", at, limits)
        case ProposeChanges():
            return _propose(domain, command, limits)
        case RecordVote():
            return _vote(domain, command, limits)
        case CommitRollout():
            return _commit(domain, command, limits)
        case RollBack():
            return _roll_back(domain, command)
        case ExpirePhase():
            return _expire(domain, command, limits)
    return []


def due(domain: Domain) -> tuple[datetime, Command] | None:
    """Return when the present phase ends without all votes, or the rollout without a commit."""
    rollout = domain.rollout
    if rollout is None or rollout.deadline is None:
        return None
    expire = ExpirePhase(
        rollout=rollout.id, phase=rollout.phase, changes=len(rollout.changes), at=rollout.deadline
    )
    return rollout.deadline, expire


def domain_aggregate(limits: RolloutLimits) -> Aggregate[Domain]:
    """Return the aggregate with these time limits. They are in its events: a later owner heeds them."""
    return Aggregate(
        name="domain",
        topic=TOPIC,
        catalogue=EVENTS,
        initial=Domain(),
        decide=partial(decide, limits=limits),
        evolve=evolve,
        due=due,
        takes=(JoinDomain, LeaveDomain, EvictNode, ProposeChanges, RecordVote, CommitRollout, RollBack),
        reserved_ids=re.compile(r"(?![a-z0-9][a-z0-9-]{0,62}\Z).*", re.DOTALL),
        folds=DOMAIN_EVENTS,
    )


def _join(domain: Domain, command: JoinDomain, limits: RolloutLimits) -> list[Event]:
    if (known := domain.member(command.node)) is not None:
        if known.instance == command.instance:
            return []
        return _remove(domain, known, known.epoch, "replaced", command.at, limits)
    if domain.rollout is not None:
        raise Conflict(f"rollout {domain.rollout.id} is open; join when it has ended")
    if command.revision != domain.revision:
        raise Conflict(f"the domain is at revision {domain.revision}, not {command.revision}; load that")
    if command.package_api != PACKAGE_API:
        raise Conflict(f"this domain has package API {PACKAGE_API}, not {command.package_api}")
    if len(domain.members) >= MOST_MEMBERS:
        raise Conflict(f"a domain has at most {MOST_MEMBERS} nodes")
    joined = NodeJoined(
        node=command.node,
        instance=command.instance,
        epoch=domain.joined + 1,
        address=command.address,
        services=command.services,
        runs_groups=command.runs_groups,
        version=command.version,
        revision=command.revision,
    )
    return [joined]


def _remove(
    domain: Domain,
    member: DomainMember | None,
    epoch: int,
    reason: Literal["left", "absent", "replaced"],
    at: datetime,
    limits: RolloutLimits,
) -> list[Event]:
    """Return the events of a node's end. Unless it has left by itself, it votes against an open rollout."""
    if member is None or member.epoch != epoch:
        return []
    rollout, events = domain.rollout, list[Event]()
    if rollout is not None and reason != "left" and rollout.phase != "rollback":
        events.append(_against(rollout, member, f"the node is {reason}"))
    events.append(NodeLeft(node=member.node, epoch=epoch, reason=reason))
    return _with_consequence(domain, events, at, limits)


def _against(rollout: OpenRollout, member: DomainMember, reason: str) -> VoteRecorded:
    return VoteRecorded(
        rollout=rollout.id,
        phase=rollout.phase,
        changes=len(rollout.changes),
        node=member.node,
        epoch=member.epoch,
        accepted=False,
        reason=reason,
    )


def _propose(domain: Domain, command: ProposeChanges, limits: RolloutLimits) -> list[Event]:
    rollout, events = domain.rollout, list[Event]()
    _check_contents(command.changes)
    if rollout is not None:
        _check_extension(rollout, command)
    elif command.rollout is not None:
        raise Conflict(f"rollout {command.rollout} is not open")
    news = _news(domain, command.changes)
    if not news:
        return []
    number = 0 if rollout is None else len(rollout.changes)
    if number + len(news) > MOST_CHANGES:
        raise Invalid(f"a rollout has at most {MOST_CHANGES} changes", "changes")
    name = command.id if rollout is None else rollout.id
    if rollout is None:
        opened = RolloutOpened(
            rollout=name, actor=command.actor, barrier=command.barrier, revision=domain.revision
        )
        events.append(opened)
    for n, change in enumerate(news, number + 1):
        added = ChangeAdded(
            rollout=name,
            n=n,
            kind=change.kind,
            name=change.name,
            action=change.action,
            digest=change.digest,
            content=change.content,
        )
        events.append(added)
    events.append(_request(reduce(evolve, events, domain), "load", command.at, limits))
    return _with_consequence(domain, events, command.at, limits)


def _check_contents(changes: tuple[ItemChange, ...]) -> None:
    for change in changes:
        if len(change.content.encode()) > CONTENT_BYTES:
            raise Invalid(f"{change.kind}/{change.name} has more than {CONTENT_BYTES >> 10} KiB", "changes")


def _check_extension(rollout: OpenRollout, command: ProposeChanges) -> None:
    """Return if the command may extend the open rollout. Raises `Conflict`."""
    state = f"rollout {rollout.id} of {rollout.actor} is open, in phase {rollout.phase}"
    if command.rollout not in {None, rollout.id}:
        raise Conflict(f"{state}; rollout {command.rollout} is not")
    if rollout.actor != command.actor and command.rollout is None:
        raise Conflict(f"{state}; name it to extend it")
    if rollout.committed or rollout.phase == "rollback":
        raise Conflict(f"{state}; propose changes when it has ended")


def _news(domain: Domain, changes: tuple[ItemChange, ...]) -> list[ItemChange]:
    """Return the changes that change something, each item once."""
    now = {(item.kind, item.name): item.digest for item in next_items(domain)}
    news = dict[tuple[str, str], ItemChange]()
    for change in changes:
        key = (change.kind, change.name)
        news.pop(key, None)
        if now.get(key) != (change.digest if change.action == "put" else None):
            news[key] = change
    return list(news.values())


def _vote(domain: Domain, vote: RecordVote, limits: RolloutLimits) -> list[Event]:
    """Return the events of a vote; none if it is of another rollout, phase or epoch, or is repeated."""
    rollout, member = domain.rollout, domain.member(vote.node)
    if rollout is None or member is None or member.epoch != vote.epoch:
        return []
    if (vote.rollout, vote.phase, vote.changes) != (rollout.id, rollout.phase, len(rollout.changes)):
        return []
    if rollout.phase == "prepared" or vote.node in rollout.voted:
        return []
    accepted, reason = vote.accepted, vote.reason
    if accepted and vote.phase in {"load", "deploy"} and vote.digest != revision_digest(next_items(domain)):
        accepted, reason = False, "the node has another digest"
    recorded = VoteRecorded(
        rollout=vote.rollout,
        phase=vote.phase,
        changes=vote.changes,
        node=vote.node,
        epoch=vote.epoch,
        accepted=accepted,
        digest=vote.digest,
        reason=reason,
        took_ms=vote.took_ms,
    )
    return _with_consequence(domain, [recorded], vote.at, limits)


def _commit(domain: Domain, command: CommitRollout, limits: RolloutLimits) -> list[Event]:
    rollout = domain.rollout
    if rollout is None or rollout.id != command.rollout:
        if domain.result(command.rollout) is not None:
            return []
        raise Conflict(f"rollout {command.rollout} is not open")
    if rollout.committed:
        return []
    if rollout.phase != "prepared":
        raise Conflict(f"rollout {rollout.id} is not prepared; it is in phase {rollout.phase}")
    if len(rollout.changes) != command.changes:
        raise Conflict(f"rollout {rollout.id} has {len(rollout.changes)} changes, not {command.changes}")
    requested = CommitRequested(rollout=rollout.id, changes=command.changes, actor=command.actor)
    phase: Phase = "pause" if rollout.barrier == "commit" else "deploy"
    return _with_consequence(
        domain, [requested, _request(domain, phase, command.at, limits)], command.at, limits
    )


def _roll_back(domain: Domain, command: RollBack) -> list[Event]:
    rollout = domain.rollout
    if rollout is None or rollout.id != command.rollout:
        result = domain.result(command.rollout)
        if result is not None and result.result != "committed":
            return []
        state = "is not open" if result is None else f"has ended: {result.result}"
        raise Conflict(f"rollout {command.rollout} {state}")
    reason = f"rolled back by {command.actor}"
    if rollout.phase == "rollback":
        return []
    if rollout.phase == "deploy":
        return _request_rollback(domain, reason)
    return [RolloutAborted(rollout=rollout.id, reason=reason)]


def _expire(domain: Domain, command: ExpirePhase, limits: RolloutLimits) -> list[Event]:
    rollout = domain.rollout
    if rollout is None or rollout.deadline is None:
        return []
    if (command.rollout, command.phase, command.changes) != (
        *(rollout.id, rollout.phase),
        len(rollout.changes),
    ):
        return []
    if rollout.phase == "prepared":
        return [RolloutAborted(rollout=rollout.id, reason="there was no commit in time")]
    silent = [member for member in domain.members if member.node not in rollout.voted]
    events: list[Event] = [_against(rollout, member, _SILENT) for member in silent]
    return _with_consequence(domain, events, command.at, limits)


def _request(domain: Domain, phase: Phase, at: datetime, limits: RolloutLimits) -> PhaseRequested:
    """Return the request of a phase, with its deadline."""
    rollout = domain.rollout
    assert rollout is not None  # noqa: S101 (only rollouts have phases)
    seconds = limits.notification_wait_s
    if phase == "pause":
        seconds += limits.drain_s
    elif any(change.kind == "package" for change in rollout.changes):
        seconds = max(seconds, limits.load_s)
    return PhaseRequested(
        rollout=rollout.id,
        phase=phase,
        changes=len(rollout.changes),
        members=tuple(member.node for member in domain.members),
        deadline=at + timedelta(seconds=seconds),
    )


def _request_rollback(domain: Domain, reason: str) -> list[Event]:
    rollout = domain.rollout
    assert rollout is not None  # noqa: S101 (it is rolled back)
    members = tuple(member.node for member in domain.members)
    requested = PhaseRequested(
        rollout=rollout.id, phase="rollback", changes=len(rollout.changes), members=members, reason=reason
    )
    if members:
        return [requested]
    return [requested, RolloutRolledBack(rollout=rollout.id, reason=reason)]


def _with_consequence(
    domain: Domain, events: list[Event], at: datetime, limits: RolloutLimits
) -> list[Event]:
    """Return the events, and what the last vote or the end of the last member leads to."""
    after = reduce(evolve, events, domain)
    return [*events, *_consequence(after, at, limits)]


def _consequence(domain: Domain, at: datetime, limits: RolloutLimits) -> list[Event]:
    rollout = domain.rollout
    if rollout is None:
        return []
    missing = {member.node for member in domain.members} - rollout.voted
    refusal = rollout.refusal
    if rollout.phase == "rollback":
        return [] if missing else [RolloutRolledBack(rollout=rollout.id, reason=rollout.reason)]
    if refusal is None and domain.members:
        return [] if missing or rollout.phase == "prepared" else _complete(domain, at, limits)
    reason = "no node is left" if refusal is None else f"{refusal.node}: {refusal.reason}"
    if refusal is not None and refusal.reason == _SILENT:
        # the votes of all that were silent are recorded at once: each is named
        more = f"; {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        reason = "; ".join(f"{node}: {_SILENT}" for node in sorted(missing)[:_NAMED]) + more
    if rollout.phase == "deploy":
        return _request_rollback(domain, reason)
    return [RolloutAborted(rollout=rollout.id, reason=reason, node="" if refusal is None else refusal.node)]


def _complete(domain: Domain, at: datetime, limits: RolloutLimits) -> list[Event]:
    """Return what follows when all members have accepted a phase."""
    rollout = domain.rollout
    assert rollout is not None  # noqa: S101 (its phase is complete)
    if rollout.phase == "deploy":
        items = next_items(domain)
        return [RevisionCommitted(rollout=rollout.id, revision=domain.revision + 1, items=items)]
    if rollout.phase == "load" and rollout.barrier == "prepare":
        return [_request(domain, "pause", at, limits)]
    if rollout.committed:
        return [_request(domain, "deploy", at, limits)]
    deadline = at + timedelta(seconds=limits.commit_timeout_s)
    return [RolloutPrepared(rollout=rollout.id, changes=len(rollout.changes), deadline=deadline)]
