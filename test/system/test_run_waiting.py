"""`bookshelf run` waits for broker and agent: it logs that, continues by itself, and has a deadline."""

import json
from pathlib import Path

import pytest
from support import consul
from support.instance import Instance, names_of_its_own
from support.kafka import Broker, brokers, free_ports
from support.process import Ended, bookshelf
from support.until import until

pytestmark = pytest.mark.needs("kafka", "consul")


def lines(said: str) -> list[str]:
    """Return the events of the log lines, each with the reason of the wait and the next attempt."""
    found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert all(
        line["why"] and line["again_in_s"] > 0 for line in found if line["event"].startswith("waiting")
    )
    return [line["event"] for line in found]


def test_a_start_continues_once_broker_and_agent_answer(tmp_path: Path) -> None:
    ports, agent = free_ports(3), consul.Agent(tmp_path)
    env = {
        "BOOKSHELF_BROKER": f"127.0.0.1:{ports[0]}",
        "BOOKSHELF_CONSUL": f"127.0.0.1:{agent.ports.http}",
        **names_of_its_own(),
    }
    try:
        with Instance("newbook", tmp_path, env=env) as newbook:
            until(lambda: "waiting-for-broker" in newbook.warned, "it waits for the broker")
            with brokers(tmp_path / "kafka", ports=ports):
                until(lambda: "waiting-for-consul" in newbook.warned, "it waits for the agent")
                agent.start()
                assert newbook.ready().client.add("Dune")
                assert newbook.stop().code == 0
    finally:
        agent.kill()


def _ended(tmp_path: Path, **env: str) -> Ended:
    return bookshelf("run", "newbook", "--data", tmp_path, "--port", "0", env={**names_of_its_own(), **env})


def test_a_missing_broker_ends_the_start_with_its_address(tmp_path: Path) -> None:
    [port] = free_ports(1)
    ended = _ended(tmp_path, BOOKSHELF_BROKER=f"127.0.0.1:{port}", BOOKSHELF_BROKER_WAIT_S="0.5")
    assert ended.code == 2
    assert lines(ended.err)[0] == "waiting-for-broker"
    assert ended.err.splitlines()[-1].startswith(f"bookshelf: no Kafka broker answers at 127.0.0.1:{port}")


def test_a_missing_agent_ends_the_start_with_its_address(kafka_broker: Broker, tmp_path: Path) -> None:
    [port] = free_ports(1)
    places = {"BOOKSHELF_BROKER": kafka_broker.address, "BOOKSHELF_CONSUL": f"127.0.0.1:{port}"}
    ended = _ended(tmp_path, **places, BOOKSHELF_CONSUL_WAIT_S="0.5")
    assert ended.code == 2
    assert "waiting-for-consul" in lines(ended.err)
    assert ended.err.splitlines()[-1].startswith(
        f"bookshelf: Consul at http://127.0.0.1:{port} does not answer"
    )
