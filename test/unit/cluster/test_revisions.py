"""The revisions of a domain: what each service has of them, and what is remembered."""

from support.cluster import (
    CHANGE,
    DIGEST,
    DOMAIN,
    NODES,
    SECOND_ADDED,
    deploying,
    joined,
    opened,
    prepared,
    recorded,
    requested,
    vote,
)

from bookshelf.cli.domain_agent import known_revisions
from bookshelf.cluster.domain_state import items_after, revision_ahead, service_revision
from bookshelf.cluster.events import RevisionCommitted, RolloutAborted
from bookshelf.cluster.node import DomainNode
from bookshelf.cqrs.item import ItemChange
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.agent.contact import LogContact


def test_the_revision_of_a_service_is_that_of_the_last_change_that_concerns_it() -> None:
    past = [
        *prepared(),
        SECOND_ADDED,
        RevisionCommitted(rollout="r1", revision=1, items=()),
        *opened(ItemChange(kind="package", name="A", action="put", digest="d9"), rollout="r2"),
        RevisionCommitted(rollout="r2", revision=2, items=()),
    ]
    domain = DOMAIN.fold(past)
    assert service_revision(domain, "newbook") == 1
    assert service_revision(domain, "counter", ["A"]) == 2
    assert service_revision(DOMAIN.initial, "newbook") == 0


def test_from_its_deployment_on_the_next_revision_of_a_service_is_waited_for() -> None:
    policy = ItemChange(kind="policy", name="newbook", action="put", digest="d2")
    deployed = [*joined(*NODES), *opened(policy), requested("deploy", 2.0)]
    domain = DOMAIN.fold(deployed)
    assert (revision_ahead(domain, "newbook"), revision_ahead(domain, "readbook")) == (1, 0)
    assert service_revision(domain, "newbook") == 0
    back = DOMAIN.fold([*deployed, requested("rollback", None)])
    assert revision_ahead(back, "newbook") == 0


def test_a_gateway_without_the_log_does_not_wait_for_a_revision_that_may_be_rolled_back() -> None:
    machine = DomainNode("gateway", "g", "http://gateway:1", (), "1")
    contact = LogContact(MemoryLog(), "cluster")
    known = known_revisions(machine, contact)
    assert known("newbook", "") == 0
    for event in (*joined(*NODES), *opened(), requested("deploy", 2.0)):
        machine.read(event)
    assert known("newbook", "") == 1
    contact.is_there = False
    assert known("newbook", "") == 0


def test_a_domain_remembers_the_last_fifty_results() -> None:
    past = [*joined(*NODES)]
    for n in range(60):
        past += [*opened(rollout=f"r{n}"), RolloutAborted(rollout=f"r{n}", reason="")]
    assert [result.id for result in DOMAIN.fold(past).results] == [f"r{n}" for n in range(10, 60)]


def test_digests_of_equal_items_are_equal() -> None:
    deployed = DOMAIN.decide(
        DOMAIN.fold([*deploying(), recorded("a", "deploy"), recorded("b", "deploy")]), vote("c", "deploy")
    )
    assert deployed[-1] == RevisionCommitted(rollout="r1", revision=1, items=items_after((), [CHANGE], 1))
    assert len(DIGEST) == 32
