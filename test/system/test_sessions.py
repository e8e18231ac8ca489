"""Sessions on real processes: what one node has acknowledged, every other one has, also after a kill."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.client import Client
from support.consul import Agent
from support.instance import names_of_its_own
from support.kafka import Broker
from support.process import ROOT, environment
from support.until import until

pytestmark = pytest.mark.needs("kafka", "consul")

HEADER = "Bookshelf-Client-Session"
SAMPLE = {"value": "Sample session data"}


class StatefulNode:
    """A process that runs a service, from its URL on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), "it has ended"
        self.client = Client(url)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)


@contextmanager
def launched(name: str, folder: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "support.stateful_program", name, str(folder)]
    process = subprocess.Popen(
        command, cwd=ROOT / "test", env=environment(env), stdin=-1, stdout=-1, text=True
    )
    try:
        yield process
    finally:
        process.communicate(timeout=60)


@pytest.fixture
def env(kafka_broker: Broker, consul_agent: Agent) -> Iterator[dict[str, str]]:
    yield {
        "BOOKSHELF_BROKER": kafka_broker.address,
        "BOOKSHELF_CONSUL": f"127.0.0.1:{consul_agent.ports.http}",
        "BOOKSHELF_PORT": "0",
        "BOOKSHELF_CLUSTER_DOMAIN": "blue",
        **names_of_its_own(),
    }
    consul_agent.clear()


def test_acknowledged_changes_outlive_the_node_and_the_owner(env: dict[str, str], tmp_path: Path) -> None:
    with (
        launched("sessions", tmp_path / "a", env) as first_owner,
        launched("stateful", tmp_path / "1", env) as one,
        launched("stateful", tmp_path / "2", env) as two,
    ):
        owner, first, second = StatefulNode(first_owner), StatefulNode(one), StatefulNode(two)
        session = _opened(first)
        mine = {HEADER: session}
        assert second.client.get("/stateful/value", **mine).json == SAMPLE
        counted = [node.client.ask("POST", "/stateful/count", **mine) for node in (first, second) * 5]
        done = sum(answer.status == 200 for answer in counted)
        first.kill()
        assert second.client.get("/stateful/value", **mine).json == SAMPLE
        with launched("sessions", tmp_path / "b", env) as next_owner:
            StatefulNode(next_owner)
            owner.kill()

            once = {**mine, "Idempotency-Key": "once"}
            until(
                lambda: second.client.ask("POST", "/stateful/count", **once).status == 200,
                "the next owner counts",
            )
            total = second.client.get("/stateful/count", **mine)
            assert total.json == {"count": done + 1}


def _opened(node: StatefulNode) -> str:
    answer = node.client.ask("PUT", "/stateful/value", SAMPLE)
    assert answer.status == 204, answer.content
    return str(answer.headers[HEADER.lower()])


def test_without_a_domain_the_other_node_has_no_value(env: dict[str, str], tmp_path: Path) -> None:
    alone = {**env, "BOOKSHELF_CLUSTER_DOMAIN": ""}
    with (
        launched("stateful", tmp_path / "1", alone) as one,
        launched("stateful", tmp_path / "2", alone) as two,
    ):
        first, second = StatefulNode(one), StatefulNode(two)
        mine = {HEADER: _opened(first)}
        assert first.client.get("/stateful/value", **mine).json == SAMPLE
        assert second.client.get("/stateful/value", **mine).json == {"value": None}
