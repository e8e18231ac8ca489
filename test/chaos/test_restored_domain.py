"""A domain whose brokers are set back to a copy of their folders, by the steps of docs/operations.md."""

import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from support.consul import Agent
from support.kafka import Broker, brokers
from support.member import Member
from support.process import bookshelf
from support.tally_nodes import PATIENCE_S, TallyNodes
from support.until import until

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.needs("kafka", "consul")]
LOCK = "blue.primary.counters"


class Table:
    """A table of a database that compares tokens, as docs/cluster.md shows it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "report.sqlite"
        with closing(sqlite3.connect(self._file)) as db, db:
            db.execute(
                "CREATE TABLE report (id INTEGER PRIMARY KEY, body TEXT NOT NULL, token INTEGER NOT NULL)"
            )
            db.execute("INSERT INTO report VALUES (1, '', 0)")

    def write(self, body: str, token: int) -> bool:
        """Return whether the row was changed."""
        change = "UPDATE report SET body = :body, token = :token WHERE id = 1 AND token <= :token"
        with closing(sqlite3.connect(self._file)) as db, db:
            return db.execute(change, {"body": body, "token": token}).rowcount == 1


class RestoredDomain(TallyNodes):
    """The nodes, with processes of the fenced service `counters`."""

    def __init__(self, folder: Path, broker: Broker, agent: str, stack: ExitStack) -> None:
        self.broker = broker
        self._stack = stack
        self._counters: list[Member] = []
        super().__init__(folder, broker.address, agent, stack)

    def count(self, lives: int) -> tuple[int, int]:
        """Add one in each life of an instance of the counters; return the value and the last token."""
        for _ in range(lives):
            number = len(self._counters)
            command = [sys.executable, "-m", "support.primary_program", "counters", f"counters-{number}"]
            env = {**self.env, "BOOKSHELF_ACCOUNTS": "off", "BOOKSHELF_CLUSTER_PRIMARY_S": "2"}
            member = Member(self.folder, "counters", f"counters-{number}", [*command, str(self.folder)], env)
            self._stack.callback(member.kill)
            self._counters.append(member)
            member.ready()
            until(self._adds, "the counter is acknowledged", PATIENCE_S)
            value = self.gateway.get("/counters/all").json
            token = self.token()
            assert member.stop() == 0
        return value, token

    def _adds(self) -> bool:
        try:
            return self.gateway.ask("POST", "/counters/all/more", {}).status == 200
        except OSError:
            return False

    def token(self) -> int:
        """Return the token of the primary of the counters."""
        found: list[int] = []

        def is_listed() -> bool:
            listed = self.gateway.get("/cluster/locks").json
            found[:] = [lock["token"] for lock in listed if lock["name"] == LOCK]
            return bool(found)

        until(is_listed, "the primary has its lock", PATIENCE_S)
        return found[0]

    def set_policy(self, state: str) -> None:
        change = {"kind": "policy", "name": "tallies", "content": f'state = "{state}"\n'}
        answer = self.gateway.post("/cluster/rollouts", {"changes": [change], "commit": True})
        assert (answer.status, answer.json["state"]) == (200, "committed"), answer

    def status(self) -> Any:  # noqa: ANN401 (JSON)
        return self.gateway.get("/cluster/status").json

    def raise_tokens(self, *options: str) -> Any:  # noqa: ANN401 (JSON)
        return json.loads(bookshelf("topics", "raise", "locks", "--json", *options, env=self.env).well)


@pytest.fixture
def domain(consul_agent: Agent, tmp_path: Path) -> Iterator[RestoredDomain]:
    with brokers(tmp_path / "broker") as [broker], ExitStack() as stack:
        stack.callback(consul_agent.clear)
        folder = tmp_path / "nodes"
        folder.mkdir()
        yield RestoredDomain(folder, broker, f"127.0.0.1:{consul_agent.ports.http}", stack)


def test_a_domain_has_all_that_a_copy_has_and_its_tokens_grow_on(
    domain: RestoredDomain, tmp_path: Path
) -> None:
    table = Table(tmp_path)
    first, revision = fill(domain)
    assert table.write("first", first)
    domain.stop()
    domain.broker.stop()
    shutil.copytree(domain.broker.folder / "data", tmp_path / "copy")
    domain.broker.start()
    domain.start()
    last, position = go_on(domain)
    assert last > first
    assert table.write("last", last)
    assert domain.status()["revision"] == revision + 2
    domain.stop()
    domain.broker.stop()
    shutil.rmtree(domain.broker.folder / "data")
    (tmp_path / "copy").rename(domain.broker.folder / "data")
    domain.broker.start()
    found = domain.raise_tokens("--above", str(last), "--dry-run")
    assert min(part["end"] for part in found["partitions"]) < last, "the copy ends before"
    assert domain.raise_tokens("--above", str(last))["dry_run"] is False
    domain.start()
    check_restored(domain, revision, position)
    value, token = domain.count(1)
    assert value == 2
    assert token > last
    assert table.write("after", token)
    assert not table.write("late", last)
    # and the domain goes on from its revision
    domain.set_policy("closed")
    assert domain.status()["revision"] == revision + 1


def fill(domain: RestoredDomain) -> tuple[int, int]:
    """Do what the copy will have; return the token of the counters, and the revision."""
    domain.add("1.0.0")
    assert "committed" in domain.admin("load", "tallies").well
    until(lambda: 503 not in domain.both("/tallies/books"), "both have read the commit", PATIENCE_S)
    domain.set_policy("open")
    for count in (1, 2):
        assert domain.clients[0].post("/tally-session", {}).json["count"] == count
    value, token = domain.count(1)
    assert value == 1
    return token, domain.status()["revision"]


def go_on(domain: RestoredDomain) -> tuple[int, str]:
    """Do what the copy lacks; return the last token, and the position of a session."""
    domain.add("2.0.0")
    assert "committed" in domain.admin("load", "tallies").well
    until(lambda: 503 not in domain.both("/tally-session"), "both have read the commit", PATIENCE_S)
    for count in (3, 4, 5):
        answer = domain.clients[0].post("/tally-session", {})
        assert answer.json["count"] == count
    domain.set_policy("closed")
    value, token = domain.count(3)
    assert value == 4
    return token, answer.headers["bookshelf-position"]


def check_restored(domain: RestoredDomain, revision: int, position: str) -> None:
    """Check that all nodes have what the copy has; `position` is one of the lost part."""
    until(lambda: 503 not in domain.both("/tally-session"), "both serve", PATIENCE_S)
    assert domain.status()["revision"] == revision
    assert domain.gateway.post("/tallies/books", {}).status == 204, "the policy of the copy: open"
    until(lambda: domain.differences() == [], "all nodes have shown that they are alike", PATIENCE_S)
    assert domain.gateway.get("/tally-primary").content.endswith(b" 1.0.0")
    for client in domain.clients:
        asked = client.get("/tally-session", Bookshelf_After=position)
        assert (asked.status, asked.json) == (200, {"count": 2})
