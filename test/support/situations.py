"""The situations of an exploration: what is known of the domain and of each node; equal ones are one."""

from typing import Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from bookshelf.cluster.domain_state import Domain, DomainMember, RolloutResult
from bookshelf.cluster.events import (
    Barrier,
    ChangeAdded,
    NodeJoined,
    NodeLeft,
    PhaseRequested,
    RevisionCommitted,
    RolloutAborted,
    RolloutOpened,
    RolloutRolledBack,
    VoteRecorded,
)
from bookshelf.cqrs.message import Event

T = TypeVar("T")
NAMES = ("a", "b", "c")


class Bounds(NamedTuple):
    """How often what may happen, in one run. `total`: of all faults together."""

    rollouts: int = 1
    extensions: int = 0
    crashes: int = 0
    cuts: int = 0
    evictions: int = 0
    departures: int = 0
    delays: int = 0
    failures: int = 0
    other_contents: int = 0
    total: int = 99
    barrier: Barrier = "commit"


class NodeFacts(NamedTuple):
    """A node in a situation. Texts are numbers of interned values; 0 is none.

    `deployed`: the epoch in which it has really deployed the open rollout, even if it is down by now.
    `leaving`: the epoch of a departure that the domain has not got yet. `delayed`: a copy of a vote that is
    still on its way.
    """

    state: int
    instance: int
    unread: tuple[int, ...]
    cut: bool
    deployed: int
    bad: bool
    leaving: int
    delayed: int


class Situation(NamedTuple):
    """Where a run is."""

    domain: int
    nodes: tuple[NodeFacts, ...]
    served: int
    left: tuple[int, ...]


class Interned(Generic[T]):
    """Gives equal values one number, from 1 on."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}
        self.values: list[T | None] = [None]

    def number(self, value: T) -> int:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        return number

    def __getitem__(self, number: int) -> T:
        value = self.values[number]
        assert value is not None
        return value


def facts_of(domain: Domain) -> tuple[tuple[int, int, bool], ...]:
    """Return of each node its epoch, its instance, and whether it has voted."""
    voted = domain.rollout.voted if domain.rollout is not None else frozenset[str]()
    members = [domain.member(name) for name in NAMES]
    return tuple(
        (member.epoch, int(member.instance), name in voted) if member is not None else (0, 0, False)
        for name, member in zip(NAMES, members, strict=True)
    )


def rename(domain: Domain, order: tuple[int, ...]) -> Domain:
    """Return the domain with the node at place order[i] as the one at i."""
    names = {NAMES[old]: NAMES[new] for new, old in enumerate(order)}
    members = sorted(
        (replace(member, node=names[member.node]) for member in domain.members), key=lambda each: each.node
    )
    rollout = domain.rollout
    if rollout is not None:
        rollout = replace(rollout, voted=frozenset(names[node] for node in rollout.voted))
    return replace(domain, members=tuple(members), rollout=rollout)


def simplified(domain: Domain) -> Domain:
    """Return the domain without the texts that decide nothing."""
    rollout = domain.rollout and replace(domain.rollout, reason="", actor="ann")
    results = tuple(
        RolloutResult(id=each.id, result=each.result, revision=each.revision) for each in domain.results
    )
    members = tuple(
        DomainMember(node=each.node, instance=each.instance, epoch=each.epoch) for each in domain.members
    )
    return replace(domain, rollout=rollout, results=results, members=members, contents=(), changed=())


def seen_by(name: str, event: Event) -> Event | None:  # noqa: PLR0911 (one for each event)
    """Return what an event is to one node, in which every node is called self; None without an effect."""
    match event:
        case NodeJoined(node=node):
            return replace(event, node="self") if node == name else None
        case NodeLeft(node=node):
            return replace(event, node="self", reason="left") if node == name else None
        case VoteRecorded(node=node):
            return replace(event, node="self", reason="", digest="") if node == name else None
        case PhaseRequested():
            return replace(event, members=(), deadline=None, reason="")
        case RolloutAborted() | RolloutRolledBack():
            return type(event)(rollout=event.rollout, reason="")
        case RolloutOpened() | ChangeAdded() | RevisionCommitted():
            return event
    return None
