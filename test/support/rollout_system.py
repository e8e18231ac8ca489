"""A domain whose processes are killed, stopped and cut off in rollouts; clients note its revisions."""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Literal, NamedTuple, Self

from support.client import Client, Reply
from support.fleet import HOST, Fleet
from support.member import Member
from support.until import until

BOOK = {"title": "Dune", "author": "Frank Herbert", "published": "1965"}
NODES = ("newbook-1", "newbook-2")
GATEWAYS = ("gateway-1", "gateway-2")
#: Seconds that a step may take on a machine that does much else.
LONG_S = 180.0


#: What a rollout changes.
What = Literal["policy", "settings"]


class SeenRevision(NamedTuple):
    """One answer: when it was asked for and given (monotonic seconds), of which process, and the revision."""

    asked: float
    given: float
    by: str
    revision: int


def check_revisions(seen: list[SeenRevision]) -> None:
    """Check a history. Raises AssertionError with the two answers that contradict each other."""
    given = sorted(seen, key=lambda one: one.given)
    newest, number = given[0], 0
    for one in sorted(seen, key=lambda one: one.asked):
        while number < len(given) and given[number].given < one.asked:
            newest = max(newest, given[number], key=lambda answer: answer.revision)
            number += 1
        assert number == 0 or one.revision >= newest.revision, (newest, one)


class RolloutSystem:
    """Two instances of rollouts and of newbook, and two gateways; each obeys a file of orders.

    Administrators ask the first gateway, which nothing happens to.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._proposed = 0
        #: The longest time, in seconds, from the repair of each kind of fault until all nodes served again.
        self.recovered_s: dict[str, float] = {}
        self.start("rollouts-1").ready()  # it creates all topics
        for member in [self.start(name) for name in ("rollouts-2", *NODES, *GATEWAYS)]:
            member.ready()

    def orders(self, name: str) -> Path:
        """Return the file of a member; both instances of rollouts have one, as one of them is the owner."""
        service, number = name.split("-")
        return self.fleet.folder / f"{service if service == 'rollouts' else f'{service}-{number}'}.orders"

    def order(self, name: str, action: str, point: str, number: signal.Signals, text: str) -> Path:
        """Have a member send itself a signal at a record; return the file, which is gone when it does."""
        path = self.orders(name)
        path.write_text(f"{action} {point} {int(number)} {text}", encoding="utf-8")
        return path

    def start(self, name: str) -> Member:
        """Start a member, and do not wait for it."""
        service, number = name.split("-")
        program = (sys.executable, "-m", "support.killed_member", str(self.orders(name)))
        return self.fleet.launch(service, int(number), program)

    def client(self, name: str) -> Client | None:
        """Return a client of a gateway, or of a node past the gateways; None if it is not there."""
        member = self.fleet.members.get(name)
        port = member.port if member is not None and member.alive else None
        if port is None or name not in GATEWAYS:
            return None if port is None else Client(f"http://{HOST}:{port}")
        return self.fleet.gateway_of(int(name[-1]))

    def ask(self, method: str, path: str, body: object = None) -> Reply | None:
        """Ask the gateway, maybe in vain."""
        with contextlib.suppress(OSError, HTTPException):
            return self.fleet.gateway.ask(method, path, body)
        return None

    def status(self) -> dict[str, object]:
        """Return the revision, the nodes and the open rollout; nothing without an answer."""
        reply = self.ask("GET", "/cluster/status")
        return reply.json if reply is not None and reply.status == 200 else {}

    def nodes(self) -> frozenset[str]:
        """Return the names of the members of the domain, as far as there is an answer."""
        there = self.status().get("nodes", ())
        assert isinstance(there, list | tuple)
        return frozenset(there)

    def propose(self, what: What = "policy", **fields: object) -> Reply | None:
        """Propose an item that differs from all before; requests are answered as ever.

        A policy is of newbook, and pauses that; settings pause the gateways, too.
        """
        self._proposed += 1
        policy = {"name": "newbook", "content": f"deadline_s = {10 + self._proposed}\n"}
        settings = {"content": f"gateway_deadline_s = {10 + self._proposed}\n"}
        change = {"kind": what, **(policy if what == "policy" else settings)}
        return self.ask("POST", "/cluster/rollouts", {"changes": [change], "wait": 30, **fields})

    def drive(self, way: str, barrier: str, what: What) -> None:
        """Make a rollout go the way that reaches a stage."""
        if way == "abort":
            prepared = self.propose(what, barrier=barrier)
            rollout = prepared.json.get("rollout", "") if prepared is not None else ""
            self.ask("POST", f"/cluster/rollouts/{rollout}/rollback", {})
        else:
            self.propose(what, barrier=barrier, commit=True)

    def serve(self, revision: object) -> bool:
        """Return True if all instances of newbook answer from this revision."""
        for name in (name for name in self.fleet.members if name.startswith("newbook-")):
            client, found = self.client(name), ""
            if client is not None:
                with contextlib.suppress(OSError, HTTPException):
                    found = client.ask("POST", "/books", BOOK).headers.get("bookshelf-revision", "")
            if found != str(revision):
                return False
        return True

    def agree(self) -> bool:
        """Return True if all instances of newbook answer from the revision of the domain as it is now.

        A proposal whose client has not waited for the answer may change it later.
        """
        status = self.status()
        return "revision" in status and self.serve(status["revision"])

    def is_complete(self) -> bool:
        """Return True if no rollout is open and all nodes are members."""
        status = self.status()
        there = status.get("nodes", ())
        assert isinstance(there, list | tuple)
        return status.get("rollout") == "" and self.fleet.members.keys() == set(there)

    def epoch(self, name: str) -> int:
        """Return the epoch of a member of the domain, as far as there is an answer; 0 for none."""
        reply = self.ask("GET", "/cluster/members")
        members = reply.json if reply is not None and reply.status == 200 else ()
        return next((one["epoch"] for one in members if one["node"] == name and not one["left"]), 0)

    def has_ended(self) -> bool:
        """Return True if no rollout is open."""
        return self.status().get("rollout") == ""

    def is_decided_without(self, absent: list[str]) -> bool:
        """Return True if no rollout is open, and the absent nodes are evicted."""
        status = self.status()
        there = status.get("nodes", ())
        assert isinstance(there, list | tuple)
        return status.get("rollout") == "" and not set(absent) & set(there)

    def commit(self) -> None:
        """Have a change committed that all serve then."""
        until(self.is_complete, "all nodes are members", LONG_S)
        self.commit_by_members()
        until(self.agree, "all nodes serve it", LONG_S)

    def commit_by_members(self) -> object:
        """Have a change committed by those that are members now; return the revision."""

        def committed() -> bool:
            reply = self.propose(commit=True)
            return reply is not None and reply.status == 200

        until(committed, "a rollout is committed", LONG_S)
        return self.status().get("revision")

    def recover(self, kind: str, before: object) -> None:
        """Wait until all nodes are members and serve one result: the revision before, or the next one."""
        begin = time.monotonic()
        until(self.is_complete, "the rollout has ended, and all nodes are members", LONG_S)
        after = self.status()["revision"]
        assert after in {before, int(str(before)) + 1}
        until(lambda: self.serve(after), "all nodes serve the result", LONG_S)
        self.recovered_s[kind] = max(self.recovered_s.get(kind, 0.0), time.monotonic() - begin)

    def dead(self) -> list[str]:
        """Return the names of the members that have ended."""
        return [name for name, member in self.fleet.members.items() if not member.alive]

    def stopped(self) -> list[str]:
        """Return the names of the members that are stopped by a signal."""
        return [name for name, member in self.fleet.members.items() if is_stopped(member)]


def is_stopped(member: Member) -> bool:
    """Return True if the process is stopped, as the operating system reports it."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{member.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False


class Recorder:
    """Asks the nodes and the gateways, or only what is named, all the time, until the block ends."""

    def __init__(self, system: RolloutSystem, *names: str) -> None:
        self._system = system
        self._over = Event()
        self.seen: list[SeenRevision] = []
        names = names or (*NODES, *GATEWAYS)
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


@contextmanager
def driven(
    system: RolloutSystem, way: str, barrier: str, order: Path, what: What = "policy"
) -> Iterator[Future[None]]:
    """Drive a rollout beside the block until the order is carried out, and wait for the answer at its end.

    A rollout is tried again that ends before: on a machine that does much else any node may be silent.
    """

    def is_reached() -> bool:
        system.drive(way, barrier, what)
        return not order.exists()

    with ThreadPoolExecutor(1) as administrator:
        answer = administrator.submit(
            until, is_reached, f"a rollout has come to where {order} is carried out", LONG_S
        )
        yield answer
        answer.result()
