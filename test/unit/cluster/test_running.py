"""What nodes run, by what discovery has."""

import msgspec

from bookshelf.cluster.domain_state import DomainMember
from bookshelf.cluster.pages.example_cluster import example_members, example_running
from bookshelf.cluster.pages.nodes import with_running
from bookshelf.cluster.running import ReadyService, running_nodes


def member(node: str, port: int, *services: str, runs_groups: bool = False) -> DomainMember:
    return DomainMember(
        node=node,
        instance=node,
        epoch=1,
        address=f"http://10.0.0.1:{port}",
        services=services,
        runs_groups=runs_groups,
    )


def running(members: list[DomainMember], present: set[str], *ready: tuple[str, int]) -> dict[str, list[str]]:
    instances = [ReadyService(service, "10.0.0.1", port) for service, port in ready]
    elsewhere = [ReadyService(service, "10.0.0.2", port) for service, port in ready]
    found = running_nodes(members, present, [*instances, *elsewhere] if ready else [])
    return {one.node: one.services for one in found}


def test_services_of_groups_are_those_at_the_port_of_their_node() -> None:
    nodes = [member("one", 8140, runs_groups=True), member("two", 8240, runs_groups=True)]
    ready = [("counters", 8140), ("counters", 8240), ("others", 8240)]
    assert running(nodes, set(), *ready) == {"one": ["counters"], "two": ["counters", "others"]}


def test_of_two_processes_with_one_service_on_a_machine_each_has_its_own_instance() -> None:
    nodes = [member("one", 8101, "lists"), member("two", 8102, "lists")]
    assert running(nodes, set(), ("lists", 8102)) == {"one": [], "two": ["lists"]}


def test_a_process_with_several_services_has_them_at_any_port() -> None:
    whole = member("shelf", 8101, "lists", "newbook", "gateway")
    ready = [("lists", 8101), ("newbook", 8102), ("others", 8103)]
    assert running([whole], {"shelf"}, *ready) == {"shelf": ["gateway", "lists", "newbook"]}


def test_a_gateway_is_ready_while_its_node_is_present_and_is_at_the_port_of_the_process() -> None:
    nodes = [member("one", 8000, "gateway"), member("two", 8001, "gateway")]
    assert running(nodes, {"two"}) == {"one": [], "two": ["gateway"]}
    process = msgspec.structs.replace(nodes[0], node="one-1", address="http://10.0.0.1:8000#1")
    assert running([process], {"one-1"}, ("lists", 8000)) == {"one-1": ["gateway", "lists"]}


def test_the_page_of_a_node_has_its_services_of_groups_as_long_as_it_is_a_member() -> None:
    here, _, _, absent = example_members()
    assert with_running(here, example_running()).services == sorted([*here.services, "counters", "gateway"])
    assert with_running(absent, example_running()) == absent
