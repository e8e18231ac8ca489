"""The situations of an exploration: what is known of the domain and of each node; equal ones are one."""

from typing import Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from bookshelf.cluster.domain_state import Domain, DomainMember
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
#: As often as it can happen.
ANY = 99


class Bounds(NamedTuple):
    """How often what may happen, in one run; time limits, commits and rollbacks are without bound.

    `total`: of all faults together. `slow`: a node reads on while it loads, drains, deploys or restores.
    """

    rollouts: int = 1
    extensions: int = 0
    crashes: int = 0
    cuts: int = 0
    evictions: int = 0
    departures: int = 0
    delays: int = 0
    failures: int = 0
    other_contents: int = 0
    total: int = ANY
    barrier: Barrier = "commit"
    slow: bool = False

    def __str__(self) -> str:
        """Return what may happen, in words."""
        kinds = zip(self._fields, self, strict=True)
        numbers = [f"{'any' if n == ANY else n} {kind}" for kind, n in kinds if isinstance(n, int) and n]
        names = [name for name in numbers if name not in {f"any {'total'}", "True slow"}]
        return f"{', '.join(names)}, barrier {self.barrier}{', slow work' if self.slow else ''}"


class Cost(NamedTuple):
    """Where in the bounds a step is counted."""

    rollout: int = 0
    extension: int = 1
    crash: int = 2
    cut: int = 3
    eviction: int = 4
    departure: int = 5
    delay: int = 6
    failure: int = 7
    other_content: int = 8
    total: int = 9
    nothing: int = -1


COST = Cost()


class NodeFacts(NamedTuple):
    """A node in a situation. Texts are numbers of interned values; 0 is none.

    `deployed`: the epoch in which it has really deployed the open rollout, even if it is down by now.
    `leaving`: the epoch of a departure that the domain has not got yet. `delayed`: a copy of a vote that is
    still on its way. `busy`: it works on the phase that it has read last.
    """

    state: int
    instance: int
    unread: tuple[int, ...] = ()
    cut: bool = False
    deployed: int = 0
    bad: bool = False
    leaving: int = 0
    delayed: int = 0
    busy: bool = False


class Situation(NamedTuple):
    """Where a run is: the numbers of the domain and of the nodes, and the newest revision served."""

    domain: int
    nodes: tuple[int, ...]
    served: int


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


def simplified(domain: Domain) -> Domain:
    """Return the domain without what decides nothing: commands are about the open rollout alone."""
    rollout = domain.rollout and replace(domain.rollout, reason="", actor="ann")
    members = tuple(
        DomainMember(node=each.node, instance=each.instance, epoch=each.epoch) for each in domain.members
    )
    return replace(domain, rollout=rollout, results=(), members=members, contents=(), changed=())


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
