"""J5 and J6 as a property: concurrent clients on nodes that are behind lose no update of a session."""

from dataclasses import dataclass, field

import msgspec
from hypothesis import given as for_all
from hypothesis import strategies as st
from support.fixed_infrastructure import NOW

from bookshelf.cluster.session import CLIENT_SESSION
from bookshelf.cluster.session_events import ClientSessionOpened
from bookshelf.cluster.session_parts import PARTS
from bookshelf.cluster.session_state import ClientSession
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.session_route import HandlerSession, SessionSettings
from bookshelf.cqrs.session_state import Differences, SessionContent

NODES, CLIENTS = 3, 4
SESSIONS = SessionSettings(group="g")
OPENED = ClientSessionOpened(domain="d", service="s", owner="", idle_s=60, at=NOW)


def act(session: HandlerSession, work: str) -> dict[str, int]:
    """Do one of the works, and return the values that it has read."""
    level = session.service
    if work == "count":
        level["n"] = level.get("n", 0) + 1
        return {"n": level["n"] - 1}
    if work == "move":
        read = {key: level.get(key, 0) for key in ("n", "m")}
        level["m"], level["n"] = read["m"] + read["n"], 0
        return read
    total = sum(level.values())
    level["sum"] = total
    return {"*": total}


@dataclass
class SessionAttempt:
    """What a client's request has read at a node, and is going to ask for."""

    work: str
    read: dict[str, int]
    differences: Differences


@dataclass
class World:
    """The log of one session, its copies on the nodes, and the requests under way. The owner may be lost."""

    checks: bool = True
    log: list[Event] = field(default_factory=lambda: [OPENED])
    copies: list[int] = field(default_factory=lambda: [1] * NODES)
    under_way: dict[int, SessionAttempt] = field(default_factory=dict)
    #: What was acknowledged: the work, the values read, and the length of the log before it.
    acknowledged: list[tuple[str, dict[str, int], int]] = field(default_factory=list)

    def state(self, upto: int | None = None) -> ClientSession:
        """Fold the log from its beginning, as the next owner does."""
        return CLIENT_SESSION.fold(self.log[:upto])

    def begin(self, client: int, node: int, work: str) -> None:
        """A request reads the copy of its node."""
        copy = self.state(self.copies[node]).content
        session = HandlerSession("s", SESSIONS, copy, SessionContent(), {}, {})
        read = act(session, work)
        self.under_way[client] = SessionAttempt(work, read, session.own_differences())

    def send(self, client: int, node: int) -> None:
        """The owner decides on what a request asks for; after a conflict the client begins anew."""
        attempt = self.under_way.pop(client, None)
        if attempt is None or not attempt.differences:
            return
        asked = attempt.differences
        if not self.checks:
            asked = msgspec.structs.replace(asked, versions={}, scopes={})
        try:
            events = CLIENT_SESSION.decide(self.state(), PARTS.change(asked, NOW))
        except Conflict:
            self.copies[node] = len(self.log)
            self.begin(client, node, attempt.work)
            return
        self.acknowledged.append((attempt.work, attempt.read, len(self.log)))
        self.log += events

    def is_linearizable(self) -> bool:
        """Return True if each acknowledged change has read what the changes before it have left."""
        for _, read, before in self.acknowledged:
            values = {key: int(value.json) for key, value in self.state(before).content.values.items()}
            for key, number in read.items():
                found = sum(values.values()) if key == "*" else values.get(f"service/s/{key}", 0)
                if found != number:
                    return False
        return True


_steps = st.lists(
    st.tuples(
        st.sampled_from(["begin", "send", "tail"]),
        st.integers(0, CLIENTS - 1),
        st.integers(0, NODES - 1),
        st.sampled_from(["count", "move", "add"]),
    ),
    max_size=40,
)


def play(world: World, steps: list[tuple[str, int, int, str]]) -> None:
    for step, client, node, work in steps:
        if step == "begin":
            world.begin(client, node, work)
        elif step == "send":
            world.send(client, node)
        else:
            world.copies[node] = min(world.copies[node] + 1, len(world.log))


@for_all(steps=_steps)
def test_acknowledged_changes_are_linearizable(steps: list[tuple[str, int, int, str]]) -> None:
    world = World()
    play(world, steps)
    assert world.is_linearizable()


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
            world.begin(client, node, "count")
    value = world.state().content.values.get("service/s/n")
    assert (0 if value is None else int(value.json)) == len(world.acknowledged)


def test_without_versions_the_check_finds_the_lost_update() -> None:
    world = World(checks=False)
    play(world, [("begin", 0, 0, "count"), ("begin", 1, 1, "count"), ("send", 0, 0, ""), ("send", 1, 1, "")])
    assert not world.is_linearizable()
