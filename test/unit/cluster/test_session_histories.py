"""J5 and J6 as a property: concurrent clients on nodes that are behind lose no update of a session.

The requests read, write, drop and go through many keys, in the levels of the service and of the group, or in
the shared one. What was acknowledged is compared with the same requests one after the other.
"""

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from support.fixed_infrastructure import NOW

from bookshelf.cluster.session import CLIENT_SESSION
from bookshelf.cluster.session_events import ClientSessionOpened
from bookshelf.cluster.session_parts import PARTS
from bookshelf.cluster.shared_state import SHARED_STATE
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.session_route import HandlerSession, SessionSettings
from bookshelf.cqrs.session_state import Differences, SessionContent

NODES, CLIENTS = 3, 4
SESSIONS = SessionSettings(group="g")
OPENED = ClientSessionOpened(domain="d", service="s", owner="", idle_s=60, at=NOW)
PREFIXES = {"service": "service/s/", "group": "group/g/", "shared": "shared/"}
#: A level and a key in it.
Place = tuple[str, str]
Levels = Mapping[str, MutableMapping[str, Any]]


class Work(NamedTuple):
    """What a request does: it reads these places and levels, then writes a number that depends on them."""

    reads: tuple[Place, ...] = ()
    all_of: tuple[str, ...] = ()
    writes: tuple[Place, ...] = ()
    drops: tuple[Place, ...] = ()


def act(levels: Levels, work: Work) -> list[Any]:
    """Do a work, and return what it has read."""
    read: list[Any] = [levels[level].get(key) for level, key in work.reads]
    read += [sorted(levels[level].items()) for level in work.all_of]
    number = 1 + sum(value or 0 for value in read[: len(work.reads)])
    number += sum(value for items in read[len(work.reads) :] for _, value in items)
    for level, key in work.writes:
        levels[level][key] = number % 1009  # it stays small when many works add
    for level, key in work.drops:
        levels[level].pop(key, None)
    return read


@dataclass
class SessionAttempt:
    """What a client's request has read at a node, and is going to ask for."""

    work: Work
    read: list[Any]
    differences: Differences


def _own(content: SessionContent) -> HandlerSession:
    return HandlerSession("s", SESSIONS, content, SessionContent(), {}, {})


def _shared(content: SessionContent) -> HandlerSession:
    return HandlerSession("s", SESSIONS, SessionContent(), content, {}, {})


class Kind(NamedTuple):
    """One of the two aggregates of sessions, and how a handler gets it and changes it."""

    aggregate: Any
    opened: tuple[Event, ...]
    session: Callable[[SessionContent], HandlerSession]
    differences: Callable[[HandlerSession], Differences]
    change: Callable[..., Any]
    levels: tuple[str, ...]


OWN = Kind(
    *(CLIENT_SESSION, (OPENED,), _own, HandlerSession.own_differences, PARTS.change),
    levels=("service", "group"),
)
SHARED = Kind(
    *(SHARED_STATE, (), _shared, HandlerSession.shared_differences, PARTS.change_shared), levels=("shared",)
)


@dataclass
class World:
    """The log of one session, its copies on the nodes, and the requests under way. The owner may be lost."""

    kind: Kind = OWN
    checks: bool = True
    log: list[Event] = field(default_factory=list)
    copies: list[int] = field(default_factory=list)
    under_way: dict[int, SessionAttempt] = field(default_factory=dict)
    #: What was acknowledged, in the order of the log: the works, and the values that they have read.
    acknowledged: list[tuple[Work, list[Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log += self.kind.opened
        self.copies += [len(self.log)] * NODES

    def state(self, upto: int | None = None) -> Any:  # noqa: ANN401 (of either aggregate)
        """Fold the log from its beginning, as the next owner does."""
        return self.kind.aggregate.fold(self.log[:upto])

    def begin(self, client: int, node: int, work: Work) -> None:
        """A request reads the copy of its node."""
        session = self.kind.session(self.state(self.copies[node]).content)
        read = act({level: getattr(session, level) for level in PREFIXES}, work)
        self.under_way[client] = SessionAttempt(work, read, self.kind.differences(session))

    def send(self, client: int, node: int) -> None:
        """The owner decides on what a request asks for; after a conflict the client begins anew."""
        attempt = self.under_way.pop(client, None)
        if attempt is None or not attempt.differences:
            return
        asked = attempt.differences
        if not self.checks:
            asked = msgspec.structs.replace(asked, versions={}, scopes={})
        try:
            events = self.kind.aggregate.decide(self.state(), self.kind.change(asked, NOW))
        except Conflict:
            self.copies[node] = len(self.log)
            self.begin(client, node, attempt.work)
            return
        self.acknowledged.append((attempt.work, attempt.read))
        self.log += events

    def check(self) -> None:
        """Compare with the same works one after the other. Raises AssertionError."""
        levels: dict[str, dict[str, Any]] = {level: {} for level in PREFIXES}
        for work, read in self.acknowledged:
            assert act(levels, work) == read, f"{work} has read what was not so"
        found = {key: int(value.json) for key, value in self.state().content.values.items()}
        left = {PREFIXES[level] + key: value for level in levels for key, value in levels[level].items()}
        assert found == left


def works(kind: Kind) -> st.SearchStrategy[Work]:
    places = st.lists(st.tuples(st.sampled_from(kind.levels), st.sampled_from("abcd")), max_size=3).map(tuple)
    all_of = st.lists(st.sampled_from(kind.levels), max_size=1).map(tuple)
    return st.builds(Work, places, all_of, places, places)


def steps(kind: Kind) -> st.SearchStrategy[list[tuple[str, int, int, Work]]]:
    numbers = st.integers(0, CLIENTS - 1), st.integers(0, NODES - 1)
    return st.lists(st.tuples(st.sampled_from(["begin", "send", "tail"]), *numbers, works(kind)), max_size=40)


def play(world: World, played: Iterable[tuple[str, int, int, Work]]) -> None:
    for step, client, node, work in played:
        if step == "begin":
            world.begin(client, node, work)
        elif step == "send":
            world.send(client, node)
        else:
            world.copies[node] = min(world.copies[node] + 1, len(world.log))


@for_all(played=steps(OWN))
def test_acknowledged_changes_of_service_and_group_are_linearizable(
    played: list[tuple[str, int, int, Work]],
) -> None:
    world = World(OWN)
    play(world, played)
    world.check()


@for_all(played=steps(SHARED))
def test_acknowledged_changes_of_the_shared_state_are_linearizable(
    played: list[tuple[str, int, int, Work]],
) -> None:
    world = World(SHARED)
    play(world, played)
    world.check()


N = ("service", "n")
COUNT = Work(reads=(N,), writes=(N,))


@for_all(
    clients=st.lists(st.integers(0, CLIENTS - 1), max_size=30),
    nodes=st.lists(st.integers(0, NODES - 1), min_size=30),
)
def test_no_increment_is_lost(clients: list[int], nodes: list[int]) -> None:
    world = World()
    for client, node in zip(clients, nodes, strict=False):
        if client in world.under_way:
            world.send(client, node)
        else:
            world.begin(client, node, COUNT)
    value = world.state().content.values.get("service/s/n")
    assert (0 if value is None else int(value.json)) == len(world.acknowledged)


#: Each is done by two clients at once, on what both have read: one of them must be refused.
LOST = {
    "a lost update": (OWN, COUNT, COUNT),
    "a skewed write of two keys": (
        OWN,
        Work(reads=(("service", "a"), ("service", "b")), writes=(("service", "a"),)),
        Work(reads=(("service", "a"), ("service", "b")), writes=(("service", "b"),)),
    ),
    "a skewed write of two levels": (
        OWN,
        Work(reads=(("group", "a"),), writes=(("service", "a"),)),
        Work(reads=(("service", "a"),), writes=(("group", "a"),)),
    ),
    "a new key of a level that was gone through": (
        OWN,
        Work(all_of=("group",), writes=(("service", "sum"),)),
        Work(all_of=("service",), writes=(("group", "new"),)),
    ),
    "a lost update of the shared state": (
        SHARED,
        Work(reads=(("shared", "n"),), writes=(("shared", "n"),)),
        Work(reads=(("shared", "n"),), writes=(("shared", "n"),)),
    ),
}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("checks", [True, False], ids=["right", "planted: without versions"])
def test_the_check_finds_what_is_lost_without_versions(name: str, checks: bool) -> None:  # noqa: FBT001 (a case)
    kind, first, second = LOST[name]
    world = World(kind, checks=checks)
    play(
        world,
        [("begin", 0, 0, first), ("begin", 1, 1, second), ("send", 0, 0, first), ("send", 1, 1, second)],
    )
    if checks:
        assert len(world.acknowledged) == 1
        world.check()
    else:
        with pytest.raises(AssertionError):
            world.check()
