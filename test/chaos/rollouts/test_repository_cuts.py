"""Rollouts of a package on Kafka and Consul: the network between a node and the repository is cut."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from support.client import Client, Reply
from support.consul import Agent
from support.cut_wire import Cut, CutWire
from support.fleet import fleet_of_a_domain
from support.kafka import Broker
from support.kafka_proxy import BackgroundLoop
from support.nginx import nginx_files
from support.packages import package
from support.process_with_ports import Announced
from support.until import until

from bookshelf.cli.repository_folder import RepositoryFolder

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.needs("kafka", "consul", "nginx")]
HOST = "127.0.0.1"
#: Seconds that a step may take on a machine that does much else.
LONG_S = 180.0
CUTS = [("commit", "refused"), ("prepare", "refused"), ("commit", "silent"), ("prepare", "silent")]


class PackageDomain:
    """A repository behind a web server, and two nodes, of which the first comes there through a wire."""

    def __init__(self, folder: Path, broker: Broker, agent: Agent, stack: ExitStack) -> None:
        self._folder = folder
        (folder / "nginx").mkdir()
        self.repository = RepositoryFolder(folder / "repository")
        self.repository.create()
        web = stack.enter_context(nginx_files(folder / "nginx", folder / "repository"))
        self.wire = CutWire(stack.enter_context(closing(BackgroundLoop())), web)
        stack.callback(self.wire.close)
        # a server that is silent takes 25 s for one file; a process that starts takes its time here
        limits = {
            "BOOKSHELF_CLUSTER_LOAD_S": "120",
            "BOOKSHELF_CLUSTER_COMMIT_TIMEOUT_MS": "120000",
            "BOOKSHELF_CLUSTER_NOTIFICATION_WAIT_MS": "20000",
            "BOOKSHELF_CLUSTER_STANDBY_S": "0",
        }
        fleet = stack.enter_context(fleet_of_a_domain(folder / "fleet", broker, agent, **limits))
        self._env = {
            **fleet.settings,
            "BOOKSHELF_BROKER": fleet.broker,
            "BOOKSHELF_CONSUL": fleet.consul,
        }
        fleet.start("rollouts", 1)  # it creates the topics of the domain
        fleet.start("gateway", 1)
        self.gateway = fleet.gateway
        self.nodes = [
            stack.enter_context(self._node(name, port))
            for name, port in (("one", self.wire.port), ("two", web))
        ]
        self.clients = [Client(node.ready().note.url) for node in self.nodes]
        self._version = 0

    def _node(self, name: str, port: int) -> Announced:
        ports = ("--http-port", "0", "--admin-port", "0")
        env = {**self._env, "BOOKSHELF_CLUSTER_REPOSITORY": f"http://{HOST}:{port}/shelf"}
        node = Announced("node", "--name", name, "--data", str(self._folder / name), *ports, env=env)
        node.folder = self._folder / name / "run" / name
        return node

    def propose(self, barrier: str = "commit") -> dict[str, object]:
        """Add another version to the repository and propose it; return the status after its first phase."""
        self._version += 1
        added = self.repository.add_package(package(f"{self._version}.0.0", self.answer))
        change = {"kind": "package", "name": "counters", "digest": added.digest}
        self.gateway.ask("POST", "/cluster/rollouts", {"changes": [change], "barrier": barrier, "wait": 60})
        until(lambda: self.status()["state"] not in {"load", "pause"}, "the phase ends", LONG_S)
        return self.status()

    def commit(self, prepared: dict[str, object]) -> Reply:
        """Commit a rollout."""
        path = f"/cluster/rollouts/{prepared['rollout']}/commit"
        return self.gateway.ask("POST", path, {"changes": prepared["changes"], "wait": 60})

    @property
    def answer(self) -> str:
        """What the last version that was proposed answers."""
        return f"version {self._version}"

    def status(self) -> dict[str, object]:
        reply = self.gateway.ask("GET", "/cluster/status")
        return reply.json if reply.status == 200 else {"state": "load"}

    def are_members(self) -> bool:
        there = self.status().get("nodes", ())
        assert isinstance(there, list | tuple)
        return {"one", "two"} <= set(there)

    def answers(self) -> list[str]:
        """Return what both nodes answer."""
        replies = [client.ask("GET", "/counters/greeting") for client in self.clients]
        return [reply.content.decode() if reply.status == 200 else str(reply.status) for reply in replies]

    def until_both_answer(self, text: str) -> None:
        until(lambda: self.answers() == [text, text], f"both answer {text}", LONG_S, instead=self.answers)

    def load(self) -> None:
        """Have the next version loaded by both nodes."""

        def is_committed() -> bool:
            prepared = self.propose()
            return prepared["state"] == "prepared" and self.commit(prepared).json["state"] == "committed"

        until(self.are_members, "both are members", LONG_S)
        until(is_committed, "a version is loaded", LONG_S)
        self.until_both_answer(self.answer)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, kafka_broker: Broker, consul_agent: Agent
) -> Iterator[PackageDomain]:
    with ExitStack() as stack:
        stack.callback(consul_agent.clear)
        yield PackageDomain(tmp_path_factory.mktemp("packages"), kafka_broker, consul_agent, stack)


@pytest.fixture
def domain(running: PackageDomain) -> PackageDomain:
    running.wire.heal()
    running.load()
    return running


@pytest.mark.parametrize(("barrier", "how"), CUTS)
def test_a_package_that_one_node_cannot_fetch_is_loaded_by_none(
    domain: PackageDomain, barrier: str, how: Cut
) -> None:
    before = domain.answer
    domain.wire.cut(how)
    assert domain.propose(barrier)["rollout"] == "", "it is not aborted"
    domain.until_both_answer(before)
    domain.wire.heal()
    domain.load()


@pytest.mark.parametrize(("barrier", "how"), CUTS)
def test_a_package_that_all_have_loaded_is_deployed_without_the_repository(
    domain: PackageDomain, barrier: str, how: Cut
) -> None:
    prepared = domain.propose(barrier)
    assert prepared["state"] == "prepared"
    assert domain.wire.cut(how), "the node has another way"
    done = domain.commit(prepared)
    assert (done.status, done.json["state"]) == (200, "committed"), done
    domain.until_both_answer(domain.answer)
    domain.wire.heal()
    domain.load()
