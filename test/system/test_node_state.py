"""A group with state on two nodes: its events outlive its processes, and its manifest and primary apply."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.consul import Agent
from support.kafka import Broker
from support.tally_nodes import PATIENCE_S, TallyNodes
from support.until import until

pytestmark = pytest.mark.needs("kafka", "consul")


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
