"""Rollouts to processes of a domain on Kafka and Consul: services and a gateway; some are killed."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import consul
from support.client import Client, Reply
from support.fleet import Fleet, fleet_of_a_domain
from support.kafka import Broker
from support.until import until

pytestmark = pytest.mark.needs("kafka", "consul")
BOOK = {"title": "Dune", "author": "Frank Herbert", "published": "1965"}


class Nodes:
    """Two instances of newbook, the service rollouts, and a gateway: four nodes."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        fleet.start("rollouts", 1)  # it creates all topics
        for service, number in (("newbook", 1), ("newbook", 2), ("gateway", 1)):
            fleet.launch(service, number)
        for member in fleet.members.values():
            member.ready()

    @property
    def gateway(self) -> Client:
        return self.fleet.gateway

    def status(self) -> Any:  # noqa: ANN401 (JSON)
        reply = self.gateway.ask("GET", "/cluster/status")
        return reply.json if reply.status == 200 else {"nodes": (), "rollout": "", "revision": -1}

    def propose(self, state: str, **fields: object) -> Reply:
        change = {"kind": "policy", "name": "newbook", "content": f'state = "{state}"\n'}
        return self.gateway.post("/cluster/rollouts", {"changes": [change], **fields})

    def answers(self) -> list[int]:
        """Return the status of a new book at each instance, past the gateway."""
        found = list[int]()
        for name in ("newbook-1", "newbook-2"):
            member = self.fleet.members[name]
            if member.alive and member.port is not None:
                found.append(Client(f"http://127.0.0.1:{member.port}").ask("POST", "/books", BOOK).status)
        return found


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, kafka_broker: Broker, consul_agent: consul.Agent
) -> Iterator[Nodes]:
    with fleet_of_a_domain(tmp_path_factory.mktemp("fleet"), kafka_broker, consul_agent) as fleet:
        yield Nodes(fleet)


@pytest.fixture
def nodes(running: Nodes) -> Nodes:
    """All nodes are members, and new books are admitted."""
    until(lambda: len(running.status()["nodes"]) == 4, "all nodes are members")
    assert running.propose("open", commit=True).status == 200
    return running


def test_both_nodes_have_a_committed_change_and_a_killed_node_has_it_when_it_is_back(nodes: Nodes) -> None:
    assert nodes.propose("closed", commit=True).json["state"] == "committed"
    assert nodes.answers() == [503, 503]
    nodes.fleet.members["newbook-2"].kill()
    until(lambda: len(nodes.status()["nodes"]) == 3, "the killed node is evicted")
    assert nodes.propose("open", commit=True).json["state"] == "committed"
    nodes.fleet.start("newbook", 2)
    until(lambda: nodes.answers() == [201, 201], "both admit new books")


def test_a_stopped_node_fails_a_rollout_and_has_the_former_revision_with_all_others(nodes: Nodes) -> None:
    stopped = nodes.fleet.members["newbook-2"]
    stopped.send(signal.SIGSTOP)
    reply = nodes.propose("closed", commit=True)
    assert (reply.status, reply.json["state"]) == (409, "aborted")
    stopped.send(signal.SIGCONT)
    until(lambda: nodes.answers() == [201, 201], "both serve the former revision")
    until(lambda: len(nodes.status()["nodes"]) == 4, "the stopped node is a member again")
    assert nodes.propose("closed", commit=True).json["state"] == "committed"
    assert nodes.answers() == [503, 503]


def test_the_next_owner_decides_a_rollout_whose_owner_was_killed(nodes: Nodes) -> None:
    revision = nodes.status()["revision"]
    prepared = nodes.propose("closed", barrier="prepare").json
    assert prepared["state"] == "prepared"
    nodes.fleet.members["rollouts-1"].kill()
    nodes.fleet.start("rollouts", 1)
    until(lambda: not nodes.status()["rollout"] and nodes.status()["revision"] == revision, "it is aborted")
    until(lambda: nodes.answers() == [201, 201], "both serve the former revision")


def propose_rules(nodes: Nodes, content: str, **fields: object) -> Reply:
    """Propose rules of the gateway."""
    change = {"kind": "gateway", "content": content}
    return nodes.gateway.post("/cluster/rollouts", {"changes": [change], **fields})


def test_a_gateway_process_has_the_rules_and_settings_of_the_domain(nodes: Nodes) -> None:
    def status() -> int:
        return nodes.gateway.ask("POST", "/books", BOOK).status

    assert "gateway-1" in nodes.status()["nodes"]
    until(lambda: status() == 201, "the gateway knows the routes")
    assert propose_rules(nodes, '[[forbid]]\npath = "/books"\n', commit=True).json["state"] == "committed"
    assert status() == 403
    assert propose_rules(nodes, "", commit=True).json["state"] == "committed"
    assert status() == 201


def test_requests_wait_at_the_paused_gateway_until_a_rollback(nodes: Nodes) -> None:
    prepared = propose_rules(nodes, "[limits]\nrequests = 500\n", barrier="prepare").json
    assert prepared["state"] == "prepared"
    path = f"/cluster/rollouts/{prepared['rollout']}/rollback"
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(nodes.gateway.ask, "POST", "/books", BOOK)
        assert nodes.gateway.post(path, {}).json["state"] == "aborted"
        assert waiting.result().status == 201


def test_an_evicted_gateway_is_a_node_again(nodes: Nodes) -> None:
    gateway = nodes.fleet.members["gateway-1"]
    gateway.send(signal.SIGSTOP)
    member = nodes.fleet.members["rollouts-1"]
    rollouts = Client(f"http://127.0.0.1:{member.port}")
    until(lambda: len(rollouts.ask("GET", "/cluster/status").json["nodes"]) == 3, "it is evicted")
    gateway.send(signal.SIGCONT)
    until(lambda: len(nodes.status()["nodes"]) == 4, "it is a member again")
    until(lambda: nodes.gateway.ask("POST", "/books", BOOK).status == 201, "it admits requests")
