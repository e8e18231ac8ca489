"""A group with state on two nodes: its events outlive its processes, and its manifest and primary apply."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.client import Client
from support.consul import Agent
from support.fleet import Fleet
from support.instance import names_of_its_own
from support.kafka import Broker
from support.node_browser import NodeBrowser
from support.process import Ended, bookshelf
from support.process_with_ports import Announced
from support.tally_package import tally_package
from support.until import until

from bookshelf.runtime.data_folder import running

pytestmark = pytest.mark.needs("kafka", "consul")
#: Seconds for a view to be made anew, on a machine that does much else.
PATIENCE_S = 60.0


class TallyNodes:
    """Two nodes, a gateway with the rule `primary`, and the services of their domain."""

    def __init__(self, folder: Path, broker: str, agent: str, stack: ExitStack) -> None:
        self._folder = folder
        self._repository = folder / "repository"
        rules = folder / "gateway.toml"
        rules.write_text('[[primary]]\ngroup = "tallies"\nwait_s = 30\n')
        self._env: Mapping[str, str] = {
            "BOOKSHELF_BROKER": broker,
            "BOOKSHELF_CONSUL": agent,
            "BOOKSHELF_CLUSTER_DOMAIN": "blue",
            "BOOKSHELF_CLUSTER_REPOSITORY": str(self._repository),
            "BOOKSHELF_CLUSTER_LOAD_S": "120",
            "BOOKSHELF_GATEWAY_RULES": str(rules),
            **names_of_its_own(),
        }
        assert bookshelf("repo", "init", self._repository).well
        fleet = Fleet(folder / "fleet", broker, agent, **self._env)
        stack.callback(fleet.close)
        fleet.start("rollouts", 1)  # it creates the topics of the domain
        for service in ("sessions", "locks", "gateway"):
            fleet.launch(service, 1)
        self._nodes = [stack.enter_context(self._node(name)) for name in ("one", "two")]
        for member in fleet.members.values():
            member.ready()
        for node in self._nodes:
            node.ready()
        self.gateway = fleet.gateway
        self.clients = [Client(node.note.url) for node in self._nodes]

    def _node(self, name: str) -> Announced:
        ports = ("--http-port", "0", "--admin-port", "0")
        node = Announced("node", "--name", name, "--data", str(self._folder / name), *ports, env=self._env)
        node.folder = self._folder / name / "run" / name
        return node

    def add(self, version: str) -> None:
        """Add a version of the package to the repository."""
        file = self._folder / f"tallies-{version}.pack"
        file.write_bytes(tally_package(version))
        assert bookshelf("repo", "add", file, env=self._env).well

    def pages(self) -> list[str]:
        """Return the texts of the pages of both nodes and of the gateway."""
        gateway = running(self._folder / "fleet" / "data" / "run" / "gateway-1")
        assert gateway is not None
        return [NodeBrowser(note).page() for note in (*(node.note for node in self._nodes), gateway)]

    def differences(self) -> list[Any]:
        """Return the differences that `bookshelf admin members` lists, but for single instances."""
        asked = bookshelf("admin", "--data", self._nodes[0].folder, "--json", "members", env=self._env)
        found = msgspec.json.decode(asked.well)
        assert {"one", "two", "gateway-1"} <= {one["node"] for one in found["members"]}
        kinds = {one["kind"]: one["names"] for one in found["differences"]}
        assert {"rollouts", "sessions", "locks"} <= set(kinds["single"])
        return [one for one in found["differences"] if one["kind"] != "single"]

    def admin(self, *command: str) -> Ended:
        return bookshelf("admin", "--data", self._nodes[0].folder, *command, "--commit", env=self._env)

    def both(self, path: str) -> list[Any]:
        """Return the answer of each node: its JSON, or its status."""
        replies = [client.get(path) for client in self.clients]
        return [reply.json if reply.status == 200 else reply.status for reply in replies]

    def lock(self) -> Any:  # noqa: ANN401 (JSON)
        """Return the only lock, once the view has it."""
        found: list[Any] = []

        def is_there() -> bool:
            found[:] = self.gateway.get("/cluster/locks").json
            return len(found) == 1

        until(is_there, "the lock is listed", PATIENCE_S)
        return found[0]

    def until_both(self, path: str, answer: object) -> None:
        until(lambda: self.both(path) == [answer, answer], f"both answer {path} with {answer}", PATIENCE_S)


@pytest.fixture
def nodes(kafka_broker: Broker, consul_agent: Agent, tmp_path: Path) -> Iterator[TallyNodes]:
    with ExitStack() as stack:
        stack.callback(consul_agent.clear)
        agent = f"127.0.0.1:{consul_agent.ports.http}"
        yield TallyNodes(tmp_path, kafka_broker.address, agent, stack)


def test_a_group_keeps_its_events_rows_and_sessions_when_it_is_replaced_and_unloaded(
    nodes: TallyNodes,
) -> None:
    nodes.add("1.0.0")
    assert "committed" in nodes.admin("load", "tallies").well
    until(lambda: 503 not in nodes.both("/tallies/books"), "both have read the commit", PATIENCE_S)
    one, two = nodes.clients
    for client in (one, two, one):
        assert client.post("/tallies/books", {}).status == 204
    nodes.until_both("/tallies/books", {"total": 3})
    # the manifest's scope: one state for all clients; its excluded key stays in the process
    assert one.post("/tally-session", {}).json == {"count": 1, "count_here": 1}
    assert two.post("/tally-session", {}).json == {"count": 2, "count_here": 1}
    nodes.add("2.0.0")
    assert "committed" in nodes.admin("load", "tallies").well
    nodes.until_both("/tallies/books", {"total": 3})
    nodes.until_both("/tally-session", {"count": 2})
    # every request goes to the one primary of the group
    assert nodes.gateway.post("/tallies/books", {}).status == 204
    replies = [nodes.gateway.get("/tally-primary").content for _ in range(6)]
    assert len(set(replies)) == 1
    token, version = replies[0].split()
    assert (token.isdigit(), version) == (True, b"2.0.0")
    # each node shows the group on its page, and so does the gateway show itself
    first, second, gateway = nodes.pages()
    assert all("2.0.0" in page and "POST /tallies/{id}" in page for page in (first, second))
    assert "compression" in gateway
    until(lambda: nodes.differences() == [], "all nodes have shown that they are alike", PATIENCE_S)
    lock = nodes.lock()
    assert (lock["name"], lock["token"]) == ("blue.primary.tallies", int(token))
    assert lock["holder"].partition("/")[0] in {"one", "two"}
    assert "committed" in nodes.admin("unload", "tallies").well
    nodes.until_both("/tallies/books", 404)
    assert all("It runs no service." in page for page in nodes.pages()[:2])
    assert "committed" in nodes.admin("load", "tallies").well
    nodes.until_both("/tallies/books", {"total": 4})
    nodes.until_both("/tally-session", {"count": 2})
