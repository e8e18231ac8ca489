"""The state of a domain: its revision, its members and its open rollout, folded from its events."""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from bookshelf.cluster.events import (
    Barrier,
    ChangeAdded,
    CommitRequested,
    Item,
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
from bookshelf.cqrs.item import ItemChange
from bookshelf.cqrs.message import Event, State

#: Rollouts whose results a domain remembers.
RESULTS = 50


class DomainMember(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node of the domain: one process, in this epoch."""

    node: str
    instance: str
    epoch: int
    address: str = ""
    services: tuple[str, ...] = ()
    runs_groups: bool = False
    version: str = ""


class NegativeVote(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first negative vote of a phase: the node, and its reason."""

    node: str
    reason: str


class OpenRollout(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rollout that has not ended. `voted` are the members that have accepted the present phase."""

    id: str
    actor: str
    barrier: Barrier = "commit"
    changes: tuple[ItemChange, ...] = ()
    phase: Phase = "load"
    committed: bool = False
    voted: frozenset[str] = frozenset()
    refusal: NegativeVote | None = None
    deadline: datetime | None = None
    reason: str = ""


class RolloutResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a rollout has ended, and the revision of the domain after it."""

    id: str
    result: str
    revision: int
    reason: str = ""
    node: str = ""


class Domain(State, frozen=True):
    """The nodes of one configuration. `joined` counts the epochs that were given to nodes.

    `changed` has, for each item that there ever was, the last revision that changed it.
    """

    revision: int = 0
    items: tuple[Item, ...] = ()
    changed: tuple[Item, ...] = ()
    contents: tuple[ItemChange, ...] = ()
    members: tuple[DomainMember, ...] = ()
    joined: int = 0
    rollout: OpenRollout | None = None
    results: tuple[RolloutResult, ...] = ()

    def member(self, node: str) -> DomainMember | None:
        """Return the member with this name, if there is one."""
        return next((member for member in self.members if member.node == node), None)

    def result(self, rollout: str) -> RolloutResult | None:
        """Return how a rollout has ended, if it is one of the last that have."""
        return next((result for result in self.results if result.id == rollout), None)


def revision_digest(items: Iterable[Item | ItemChange]) -> str:
    """Return one digest of a set of items: equal for equal contents, whatever their order."""
    lines = sorted(f"{item.kind}/{item.name} {item.digest}\n" for item in items)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:32]


def items_after(items: Iterable[Item], changes: Iterable[ItemChange], revision: int) -> tuple[Item, ...]:
    """Return the items of a revision that follows from `items` by these changes."""
    after = {(item.kind, item.name): item for item in items}
    for change in changes:
        after.pop((change.kind, change.name), None)
        if change.action == "put":
            item = Item(kind=change.kind, name=change.name, digest=change.digest, revision=revision)
            after[change.kind, change.name] = item
    return tuple(after[key] for key in sorted(after))


def next_items(domain: Domain) -> tuple[Item, ...]:
    """Return the items of the revision that the open rollout leads to."""
    changes = domain.rollout.changes if domain.rollout is not None else ()
    return items_after(domain.items, changes, domain.revision + 1)


def next_contents(domain: Domain) -> tuple[ItemChange, ...]:
    """Return the contents of all items after the open rollout."""
    changes = domain.rollout.changes if domain.rollout is not None else ()
    after = {(item.kind, item.name): item for item in (*domain.contents, *changes)}
    return tuple(after[key] for key in sorted(after) if after[key].action == "put")


def service_revision(domain: Domain, service: str, groups: Iterable[str] = ()) -> int:
    """Return the last revision that changed an item which concerns a service of these groups."""
    concerning = _concerning(service, groups)
    return max((item.revision for item in domain.changed if (item.kind, item.name) in concerning), default=0)


def revision_ahead(domain: Domain, service: str, groups: Collection[str] = ()) -> int:
    """Return the revision that answers of a service can have from now on.

    While it is deployed, that is the next one if the rollout concerns the service: its nodes are paused until
    the decision. Others, which are no members any more, may answer from the former one.
    """
    rollout = domain.rollout
    if rollout is not None and rollout.phase == "deploy":
        concerning = _concerning(service, groups)
        if any((change.kind, change.name) in concerning for change in rollout.changes):
            return domain.revision + 1
    return service_revision(domain, service, groups)


def _concerning(service: str, groups: Iterable[str]) -> set[tuple[str, str]]:
    """Return the items that concern a service of these groups."""
    packages = {("package", group) for group in groups}
    return {("settings", ""), ("gateway", ""), ("policy", service)} | packages


def evolve(domain: Domain, event: Event) -> Domain:  # noqa: PLR0911 (one for each event)
    """Return the domain after an event."""
    match event:
        case NodeJoined():
            return _joined(domain, event)
        case NodeLeft(node=node):
            return _left(domain, node)
        case RolloutOpened(rollout=rollout, actor=actor, barrier=barrier):
            return replace(domain, rollout=OpenRollout(id=rollout, actor=actor, barrier=barrier))
        case RevisionCommitted():
            return _committed(domain, event)
        case RolloutAborted(rollout=rollout, reason=reason, node=node):
            return _ended(
                domain, RolloutResult(id=rollout, result="aborted", revision=0, reason=reason, node=node)
            )
        case RolloutRolledBack(rollout=rollout, reason=reason):
            return _ended(domain, RolloutResult(id=rollout, result="rolled-back", revision=0, reason=reason))
    if domain.rollout is None:
        return domain
    return replace(domain, rollout=_in_rollout(domain.rollout, event))


def _in_rollout(rollout: OpenRollout, event: Event) -> OpenRollout:  # noqa: PLR0911 (one for each event)
    """Return the open rollout after an event of it."""
    match event:
        case ChangeAdded(kind=kind, name=name, action=action, digest=digest, content=content):
            change = ItemChange(kind=kind, name=name, action=action, digest=digest, content=content)
            return replace(rollout, changes=(*rollout.changes, change))
        case PhaseRequested(phase=phase, deadline=deadline, reason=reason):
            return replace(
                rollout, phase=phase, deadline=deadline, reason=reason, voted=frozenset(), refusal=None
            )
        case VoteRecorded(node=node, accepted=True):
            return replace(rollout, voted=rollout.voted | {node})
        case VoteRecorded(node=node, reason=reason) if rollout.phase == "rollback":
            return replace(rollout, voted=rollout.voted | {node})  # it restarts from the log
        case VoteRecorded(node=node, reason=reason):
            return replace(rollout, refusal=rollout.refusal or NegativeVote(node, reason))
        case RolloutPrepared(deadline=deadline):
            return replace(rollout, phase="prepared", deadline=deadline, voted=frozenset())
        case CommitRequested():
            return replace(rollout, committed=True)
    return rollout


def _joined(domain: Domain, event: NodeJoined) -> Domain:
    member = DomainMember(
        node=event.node,
        instance=event.instance,
        epoch=event.epoch,
        address=event.address,
        services=event.services,
        runs_groups=event.runs_groups,
        version=event.version,
    )
    others = [other for other in domain.members if other.node != event.node]
    members = tuple(sorted([*others, member], key=lambda each: each.node))
    return replace(domain, members=members, joined=event.epoch)


def _left(domain: Domain, node: str) -> Domain:
    left = replace(domain, members=tuple(each for each in domain.members if each.node != node))
    if left.rollout is not None and node in left.rollout.voted:
        left = replace(left, rollout=replace(left.rollout, voted=left.rollout.voted - {node}))
    return left


def _committed(domain: Domain, event: RevisionCommitted) -> Domain:
    assert domain.rollout is not None  # noqa: S101 (it is committed)
    touched = {(item.kind, item.name): item for item in domain.changed}
    for change in domain.rollout.changes:
        touched[change.kind, change.name] = Item(
            kind=change.kind, name=change.name, digest=change.digest, revision=event.revision
        )
    committed = replace(
        domain,
        contents=next_contents(domain),
        items=event.items,
        changed=tuple(touched[key] for key in sorted(touched)),
        revision=event.revision,
    )
    return _ended(committed, RolloutResult(id=event.rollout, result="committed", revision=0))


def _ended(domain: Domain, result: RolloutResult) -> Domain:
    results = (*domain.results, replace(result, revision=domain.revision))[-RESULTS:]
    return replace(domain, rollout=None, results=results)
