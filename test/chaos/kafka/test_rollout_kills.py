"""Rollouts on Kafka: the owner and a node are killed -9 or stopped around each of the eight stages, 48 cases.

The owner dies before or after it appends the event that begins the stage, the node before or after it reads
it. One that is stopped before that goes on once the others have evicted it and decided. Clients record the
revision and the time of each answer meanwhile: no request that began after an answer of a revision is
answered from an earlier one.
"""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from http.client import HTTPException
from itertools import product
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple, Self

import pytest
from support import consul
from support.client import Client, Reply
from support.fleet import Fleet, fleet_of_a_domain
from support.kafka import Broker
from support.member import Member
from support.until import until

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.needs("kafka", "consul")]
BOOK = {"title": "Dune", "author": "Frank Herbert", "published": "1965"}
NODES = ("newbook-1", "newbook-2")
#: Seconds that a step may take on a machine that does much else.
LONG_S = 120.0


class Stage(NamedTuple):
    """A stage, the text of the event that begins it, and how it is reached."""

    name: str
    text: str
    way: str


STAGES = (
    Stage("load", '"phase":"load"', "commit"),
    Stage("prepared", "cluster.rollout-prepared.v1", "commit"),
    Stage("pause", '"phase":"pause"', "commit"),
    Stage("deploy", '"phase":"deploy"', "commit"),
    Stage("committed", "cluster.revision-committed.v1", "commit"),
    Stage("aborted", "cluster.rollout-aborted.v1", "abort"),
    Stage("rollback", '"phase":"rollback"', "stop"),
    Stage("rolled back", "cluster.rollout-rolled-back.v1", "stop"),
)
CASES = list(product(STAGES, ("owner", "node"), ("before", "after")))


class SeenRevision(NamedTuple):
    """One answer: when it was asked for and given (monotonic seconds), of which process, and the revision."""

    asked: float
    given: float
    by: str
    revision: int


class Recorder:
    """Asks the nodes and the gateway, or only what is named, all the time, until the block ends."""

    def __init__(self, system: "KillableSystem", *names: str) -> None:
        self._system = system
        self._over = Event()
        self.seen: list[SeenRevision] = []
        names = names or (*NODES, "gateway")
        self._threads = [Thread(target=self._ask, args=(name,), daemon=True) for name in names]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, name: str) -> None:
        while not self._over.wait(0.02):
            client = self._system.client(name)
            if client is None:
                continue
            client.answer_s = 5.0
            asked = time.monotonic()
            with contextlib.suppress(OSError, HTTPException):
                revision = client.ask("POST", "/books", BOOK).headers.get("bookshelf-revision", "")
                if revision.isdigit():
                    self.seen.append(SeenRevision(asked, time.monotonic(), name, int(revision)))

    def check(self) -> None:
        """Check that none was answered from an earlier revision than was given before it was asked."""
        assert self.seen, "nothing was answered"
        check_revisions(self.seen)


def check_revisions(seen: list[SeenRevision]) -> None:
    """Check a history. Raises AssertionError with the two answers that contradict each other."""
    given = sorted(seen, key=lambda one: one.given)
    newest, number = given[0], 0
    for one in sorted(seen, key=lambda one: one.asked):
        while number < len(given) and given[number].given < one.asked:
            newest = max(newest, given[number], key=lambda answer: answer.revision)
            number += 1
        assert number == 0 or one.revision >= newest.revision, (newest, one)


class KillableSystem:
    """Two instances of rollouts and of newbook, and a gateway; each but that obeys a file of orders."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._proposed = 0
        self.start("rollouts-1").ready()  # it creates all topics
        others = [self.start(name) for name in ("rollouts-2", *NODES)]
        for member in (*others, fleet.launch("gateway", 1)):
            member.ready()

    def orders(self, name: str) -> Path:
        """Return the file of a member; both instances of rollouts have one, as one of them is the owner."""
        service, number = name.split("-")
        return self.fleet.folder / f"{service if service == 'rollouts' else f'{service}-{number}'}.orders"

    def start(self, name: str) -> Member:
        service, number = name.split("-")
        program = (sys.executable, "-m", "support.killed_member", str(self.orders(name)))
        return self.fleet.launch(service, int(number), program)

    def client(self, name: str) -> Client | None:
        """Return a client of a node, past the gateway, or of the gateway; None if it is not there."""
        if name == "gateway":
            return self.fleet.gateway
        member = self.fleet.members[name]
        port = member.port if member.alive else None
        return None if port is None else Client(f"http://127.0.0.1:{port}")

    def ask(self, method: str, path: str, body: object = None) -> Reply | None:
        """Ask the gateway, maybe in vain."""
        with contextlib.suppress(OSError, HTTPException):
            return self.fleet.gateway.ask(method, path, body)
        return None

    def status(self) -> dict[str, object]:
        reply = self.ask("GET", "/cluster/status")
        return reply.json if reply is not None and reply.status == 200 else {}

    def propose(self, **fields: object) -> Reply | None:
        """Propose a policy of newbook that differs from all before; its requests are answered as ever."""
        self._proposed += 1
        change = {
            "kind": "policy",
            "name": "newbook",
            "content": f"deadline_s = {10 + self._proposed}\n",
        }
        return self.ask("POST", "/cluster/rollouts", {"changes": [change], "wait": 30, **fields})

    def serve(self, revision: object) -> bool:
        """Return True if both nodes answer from this revision."""
        for name in NODES:
            client, found = self.client(name), ""
            if client is not None:
                with contextlib.suppress(OSError, HTTPException):
                    found = client.ask("POST", "/books", BOOK).headers.get("bookshelf-revision", "")
            if found != str(revision):
                return False
        return True

    def is_complete(self) -> bool:
        """Return True if no rollout is open and all nodes are members."""
        status = self.status()
        there = status.get("nodes", ())
        assert isinstance(there, list | tuple)
        return status.get("rollout") == "" and self.fleet.members.keys() == set(there)

    def is_decided_without(self, absent: list[str]) -> bool:
        """Return True if no rollout is open, and the absent nodes are evicted."""
        status = self.status()
        there = status.get("nodes", ())
        assert isinstance(there, list | tuple)
        return status.get("rollout") == "" and not set(absent) & set(there)

    def commit(self) -> None:
        """Have a change committed that all serve then."""
        until(self.is_complete, "all nodes are members", LONG_S)

        def committed() -> bool:
            reply = self.propose(commit=True)
            return reply is not None and reply.status == 200

        until(committed, "a rollout is committed", LONG_S)
        revision = self.status()["revision"]
        until(lambda: self.serve(revision), "both nodes serve it", LONG_S)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, kafka_broker: Broker, consul_agent: consul.Agent
) -> Iterator[KillableSystem]:
    with fleet_of_a_domain(tmp_path_factory.mktemp("fleet"), kafka_broker, consul_agent) as fleet:
        yield KillableSystem(fleet)


def drive(system: KillableSystem, way: str, barrier: str) -> None:
    """Make a rollout go the way that reaches the stage."""
    if way == "abort":
        prepared = system.propose(barrier=barrier)
        rollout = prepared.json.get("rollout", "") if prepared is not None else ""
        system.ask("POST", f"/cluster/rollouts/{rollout}/rollback", {})
    else:
        system.propose(barrier=barrier, commit=True)


def dead(system: KillableSystem) -> list[str]:
    return [name for name, member in system.fleet.members.items() if not member.alive]


def is_stopped(member: Member) -> bool:
    """Return True if the process is stopped, as the system reports it."""
    return Path(f"/proc/{member.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def give_orders(system: KillableSystem, stage: Stage, victim: str, point: str, sent: signal.Signals) -> Path:
    """Have the victim send itself a signal at a stage; return the file, which is gone when it does."""
    name, action = ("rollouts-1", "append") if victim == "owner" else ("newbook-1", "read")
    if stage.way == "stop":
        stops = f'read before {int(signal.SIGSTOP)} "phase":"deploy"'
        system.orders("newbook-2").write_text(stops, encoding="utf-8")
    order = system.orders(name)
    order.write_text(f"{action} {point} {int(sent)} {stage.text}", encoding="utf-8")
    return order


@pytest.mark.parametrize(
    ("number", "stage", "victim", "point"),
    [(number, *case) for number, case in enumerate(CASES)],
    ids=[f"{stage.name}-{victim}-{point}" for stage, victim, point in CASES],
)
def test_a_rollout_has_one_result_everywhere(
    running: KillableSystem, number: int, stage: Stage, victim: str, point: str
) -> None:
    running.commit()
    before = running.status()["revision"]
    order = give_orders(running, stage, victim, point, signal.SIGKILL)
    with Recorder(running) as recorder:
        drive(running, stage.way, ("commit", "prepare")[number % 2])
        until(lambda: dead(running), f"one is killed at {order}", LONG_S)
        for name in dead(running):
            running.start(name).ready()
        if stage.way == "stop":
            running.fleet.members["newbook-2"].send(signal.SIGCONT)
        until(running.is_complete, "the rollout has ended, and all nodes are members", LONG_S)
        after = running.status()["revision"]
        assert after in {before, int(str(before)) + 1}
        until(lambda: running.serve(after), "both nodes serve the result", LONG_S)
    recorder.check()
    running.commit()


@pytest.mark.parametrize(
    ("number", "stage", "victim"),
    [(number, *case) for number, case in enumerate(product(STAGES, ("owner", "node")))],
    ids=[f"{stage.name}-{victim}" for stage, victim in product(STAGES, ("owner", "node"))],
)
def test_a_process_that_was_stopped_has_the_result_of_the_others(
    running: KillableSystem, number: int, stage: Stage, victim: str
) -> None:
    """Clients of the gateway see no earlier revision of it; it may give one to those that go past it."""
    running.commit()
    before = running.status()["revision"]
    order = give_orders(running, stage, victim, "before", signal.SIGSTOP)
    with Recorder(running, "gateway") as recorder:
        drive(running, stage.way, ("commit", "prepare")[number % 2])
        until(lambda: not order.exists(), f"one is stopped at {stage.text}", LONG_S)
        stopped = [name for name, member in running.fleet.members.items() if is_stopped(member)]
        assert stopped
        until(lambda: running.is_decided_without(stopped), "the others have decided", LONG_S)
        for name in stopped:
            running.fleet.members[name].send(signal.SIGCONT)
        until(running.is_complete, "all nodes are members again", LONG_S)
        after = running.status()["revision"]
        assert after in {before, int(str(before)) + 1}
        until(lambda: running.serve(after), "both nodes serve the result", LONG_S)
    recorder.check()
    running.commit()


def test_the_check_of_a_history_finds_an_answer_from_an_earlier_revision() -> None:
    fine = [SeenRevision(0, 1, "a", 1), SeenRevision(0.5, 3, "b", 2), SeenRevision(2, 4, "a", 1)]
    check_revisions(fine)
    with pytest.raises(AssertionError):
        check_revisions([*fine, SeenRevision(3.5, 5, "a", 1)])
