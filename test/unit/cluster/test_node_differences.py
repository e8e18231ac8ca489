"""What differs between the nodes of a domain, from what they show of themselves in discovery."""

from typing import Any

import msgspec
import pytest

from bookshelf.cli.node_presence import EQUAL_SETTINGS, NODE_TAGS, differences_now, digest_of_settings
from bookshelf.cluster.node_differences import (
    NodeDifference,
    PresentNode,
    difference_text,
    node_differences,
)
from bookshelf.cluster.pages.example_cluster import example_differences
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import SECRETS, GatewaySettings
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Instance


def node(name: str, **fields: Any) -> PresentNode:  # noqa: ANN401 (fields of the struct)
    return PresentNode(node=name, **{"version": "1", "revision": 4, "digest": "a", **fields})


def found(*nodes: PresentNode, **instances: int) -> list[tuple[str, ...]]:
    """Return each difference as its kind, its nodes, its names, and both values."""
    return [
        (one.kind, " ".join(one.nodes), " ".join(one.names), one.here, one.there)
        for one in node_differences(nodes, instances)
    ]


def test_equal_nodes_do_not_differ() -> None:
    assert found(node("n1"), node("n2", is_gateway=True), books=2) == []
    assert found() == []


@pytest.mark.parametrize(
    ("field", "usual", "other"), [("version", "2", "1"), ("revision", 5, 4), ("digest", "b", "a")]
)
def test_the_nodes_that_are_not_as_most_are_named(field: str, usual: object, other: object) -> None:
    kind = "items" if field == "digest" else field
    nodes = [node("n1", **{field: usual}), node("n2", **{field: other}), node("n3", **{field: usual})]
    assert found(*nodes) == [(kind, "n2", "", str(other), str(usual))]
    # of two the one with the lesser value
    assert found(*nodes[:2]) == [(kind, "n2", "", str(other), str(usual))]


def test_items_are_compared_at_the_same_revision_only() -> None:
    assert found(node("n1", revision=5, digest="b"), node("n2"), node("n3")) == [
        ("revision", "n1", "", "5", "4")
    ]


def test_settings_with_other_values_are_named_once_for_the_same_nodes() -> None:
    other = {"cluster_drain_s": "aa", "cluster_keys": "bb"}
    assert found(node("n1", settings=other), node("n2"), node("n3")) == [
        ("settings", "n1", "cluster_drain_s cluster_keys", "", "")
    ]


def test_settings_of_the_gateway_are_compared_between_gateways_only() -> None:
    limited = {"gateway_rate": "aa"}
    first = node("g1", settings=limited, is_gateway=True)
    assert found(first, node("n1"), node("n2")) == []
    assert found(first, node("g2", is_gateway=True), node("g3", is_gateway=True)) == [
        ("settings", "g1", "gateway_rate", "", "")
    ]


def test_services_without_a_second_instance_are_named_if_there_is_a_second_node() -> None:
    assert found(node("n1"), books=1) == []
    assert found(node("n1"), node("n2"), books=1, lists=2, covers=1) == [
        ("single", "", "books covers", "", "")
    ]


def test_only_digests_of_settings_are_shown_and_none_of_secrets() -> None:
    own = digest_of_settings([ClusterSettings(cluster_drain_s=7.5), GatewaySettings(gateway_rate="9/minute")])
    assert list(own) == ["cluster_drain_s", "gateway_rate"]
    assert not any("7.5" in digest or "9/minute" in digest for digest in own.values())
    assert digest_of_settings([ClusterSettings()]) == {}
    assert digest_of_settings([ClusterSettings(cluster_drain_s=7.5)]) == {
        "cluster_drain_s": own["cluster_drain_s"]
    }
    names = {name for names in EQUAL_SETTINGS.values() for name in names}
    assert names & SECRETS == set()


def test_a_difference_is_one_line_of_text() -> None:
    assert [difference_text(one) for one in example_differences()] == [
        "node1: version 0.1.0, the others have 0.2.0",
        "node2, node3: revision 40, the others have 41",
        "node1: other items in force than on the others at this revision",
        "node1: other values of its own for cluster_drain_s, gateway_deadline_s",
        "node3: other values of its own for accounts_issuer",
        "no second instance of rollouts, sessions",
    ]


async def test_nodes_of_other_domains_and_other_programs_do_not_count() -> None:
    discovery = LocalDiscovery()
    for place, (name, domain, version) in enumerate(
        [("n1", "blue", "1"), ("n2", "blue", "1"), ("n3", "green", "2")]
    ):
        shown = Instance(
            id=f"node-{place}",
            service="node",
            tags=NODE_TAGS,
            address="127.0.0.1",
            port=place + 1,
            meta={"name": name, "domain": domain, "version": version, "revision": "4", "items": "a"},
        )
        await discovery.register(shown)
    await discovery.register(msgspec.structs.replace(shown, id="x", port=9, foreign=True))
    assert differences_now(discovery, "blue") == ()
    changed = msgspec.structs.replace(
        shown,
        id="node-1",
        port=2,
        meta={**shown.meta, "name": "n2", "domain": "blue", "version": "1", "revision": "3"},
    )
    await discovery.register(changed)
    assert differences_now(discovery, "blue") == (
        NodeDifference(kind="revision", nodes=("n2",), here="3", there="4"),
    )
