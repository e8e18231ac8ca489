"""`bookshelf node`: two nodes on one machine run a service group, each in a process of its own."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.client import Client
from support.consul import Agent
from support.instance import names_of_its_own
from support.kafka import Broker
from support.packages import files
from support.process import bookshelf
from support.process_with_ports import Announced
from support.until import until

pytestmark = pytest.mark.needs("kafka", "consul")


@pytest.fixture(scope="module")
def env(kafka_broker: Broker, consul_agent: Agent) -> Iterator[Mapping[str, str]]:
    yield {
        "BOOKSHELF_BROKER": kafka_broker.address,
        "BOOKSHELF_CONSUL": f"127.0.0.1:{consul_agent.ports.http}",
        **names_of_its_own(),
    }
    consul_agent.clear()


class Node(Announced):
    """A node on free ports, from ready to stopped."""

    def __init__(self, name: str, data: Path, *args: str, env: Mapping[str, str]) -> None:
        self.folder = data / "run" / name
        ports = ("--http-port", "0", "--admin-port", "0")
        super().__init__("node", "--name", name, "--data", str(data), *ports, *args, env=env)


def made_package(folder: Path) -> Path:
    """Return a package that the command line has made."""
    for name, content in files().items():
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / name).write_bytes(content)
    assert bookshelf("package", "build", folder / "source", "--to", folder).well
    return folder / "counters-1.0.0.pack"


def test_two_nodes_load_a_group_from_one_repository(
    env: Mapping[str, str], consul_agent: Agent, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    env = {**env, "BOOKSHELF_CLUSTER_REPOSITORY": str(repository)}
    assert bookshelf("repo", "init", repository).well
    assert bookshelf("repo", "add", made_package(tmp_path), env=env).well
    with (
        Node("node1", tmp_path / "one", "--load", "counters", env=env).ready() as one,
        Node("node2", tmp_path / "two", "--load", "counters", env=env).ready() as two,
    ):
        for node in (one, two):
            answer = Client(node.note.url).get("/counters/greeting")
            assert (answer.status, answer.content) == (200, b"one")
        until(lambda: len(consul_agent.get("/v1/health/service/counters?passing")) == 2, "both are found")
        ports = {
            found["Service"]["Port"] for found in consul_agent.get("/v1/health/service/counters?passing")
        }
        assert ports == {Client(node.note.url).port for node in (one, two)}
        assert two.stop().well
        until(lambda: len(consul_agent.get("/v1/catalog/service/counters")) == 1, "one has left")
        assert Client(one.note.url).get("/counters/greeting").status == 200
        assert one.stop().well
    assert consul_agent.get("/v1/catalog/service/counters") == []


def test_a_group_that_is_not_in_the_repository_ends_the_start_with_its_nearest_name(
    env: Mapping[str, str], tmp_path: Path
) -> None:
    env = {**env, "BOOKSHELF_CLUSTER_REPOSITORY": str(tmp_path / "repository")}
    assert bookshelf("repo", "init", tmp_path / "repository").well
    assert bookshelf("repo", "add", made_package(tmp_path), env=env).well
    ports = ("--http-port", "0", "--admin-port", "0", "--data", tmp_path)
    done = bookshelf("node", "--name", "node1", *ports, "--load", "countres", env=env)
    assert done.code == 2
    assert "--load: countres: the repository has no group countres; did you mean counters?" in done.err


def test_a_node_without_a_repository_is_refused(env: Mapping[str, str], tmp_path: Path) -> None:
    done = bookshelf("node", "--name", "node1", "--data", tmp_path, env=env)
    assert (done.code, "cluster_repository: no repository is set" in done.err) == (2, True)
