"""What is remembered of services that come, go and are renewed."""

import msgspec
import pytest
from support.openapi_documents import at, declared

from bookshelf.http.problem import Problem
from gateway.routing.catalog import RouteCatalog
from gateway.routing.document import Document
from gateway.routing.rules import Rules, parse
from gateway.upstream.pool import Pools


def document(service: str, *routes: str) -> Document:
    return declared(service, (service,), *routes)


def empty() -> RouteCatalog:
    return RouteCatalog("/bookshelf", Rules(), Pools())


def holder(known: RouteCatalog) -> str:
    return known.table.router.find("GET", "/books")[0].service


@pytest.fixture
def known() -> RouteCatalog:
    return empty()


def serves(known: RouteCatalog, route: str) -> bool:
    try:
        known.table.router.find(*route.split(" "))
    except Problem:
        return False
    return True


def test_a_new_catalog_has_no_routes(known: RouteCatalog) -> None:
    assert not known.editions
    assert not serves(known, "GET /books")
    assert msgspec.json.decode(known.document)["paths"] == {}


def test_a_service_has_its_routes_in_the_table_and_in_the_document(known: RouteCatalog) -> None:
    known.learn(("a", "1"), document("a", "GET /books"))
    assert known.services == {"a"}
    assert serves(known, "GET /books")
    assert list(msgspec.json.decode(known.document)["paths"]) == ["/books"]


def test_a_service_without_instances_keeps_its_routes(known: RouteCatalog) -> None:
    known.learn(("a", "1"), document("a", "GET /books"))
    known.forget_former(set())
    assert serves(known, "GET /books")


def test_while_two_versions_run_the_routes_of_both_are_served(known: RouteCatalog) -> None:
    known.learn(("a", "1"), document("a", "GET /old"))
    known.learn(("a", "2"), document("a", "GET /new"))
    known.forget_former({("a", "1"), ("a", "2")})
    assert serves(known, "GET /old")
    assert serves(known, "GET /new")


def test_a_version_is_removed_when_only_a_newer_known_one_runs(known: RouteCatalog) -> None:
    known.learn(("a", "1"), document("a", "GET /old"))
    known.forget_former({("a", "2")})
    assert serves(known, "GET /old")
    known.learn(("a", "2"), document("a", "GET /new"))
    known.forget_former({("a", "2")})
    assert not serves(known, "GET /old")
    assert known.editions == {("a", "2")}


def met(known: RouteCatalog, *services: str, now: float = 0.0, foreign: str = "") -> None:
    instances = [msgspec.structs.replace(at(s, s, service=s), foreign=s == foreign) for s in services]
    known.record(instances, now)


def test_the_service_discovered_first_keeps_a_route(known: RouteCatalog) -> None:
    met(known, "z")
    met(known, "z", "a")
    for service in "az":
        known.learn((service, "1"), document(service, "GET /books"))
    assert holder(known) == "z"
    assert [one.service for one in known.table.refused] == ["a"]


def test_services_discovered_together_rank_by_name_and_foreign_ones_last(known: RouteCatalog) -> None:
    met(known, "b", "c", "a", foreign="a")
    for service in "cab":
        known.learn((service, "1"), document(service, "GET /books"))
    assert holder(known) == "b"
    assert [one.service for one in known.table.refused] == ["c", "a"]


def test_a_service_absent_for_a_minute_loses_a_route_that_another_publishes(known: RouteCatalog) -> None:
    met(known, "a")
    met(known, "a", "b")
    for service in "ab":
        known.learn((service, "1"), document(service, "GET /books"))
    met(known, "b", now=100.0)
    known.forget_gone(159.9)
    assert holder(known) == "a"
    known.forget_gone(160.0)
    assert holder(known) == "b"
    assert known.table.refused == []


def test_an_absent_service_keeps_a_route_that_no_other_publishes(known: RouteCatalog) -> None:
    met(known, "a")
    known.learn(("a", "1"), document("a", "GET /books"))
    met(known, now=1.0)
    known.forget_gone(1e6)
    assert holder(known) == "a"


def test_new_rules_apply_at_once_to_routes_and_document(known: RouteCatalog) -> None:
    known.learn(("a", "1"), document("a", "GET /books", "GET /x"))
    known.apply_rules(parse({"forbid": [{"path": "/books"}]}))
    assert not serves(known, "GET /books")
    assert list(msgspec.json.decode(known.document)["paths"]) == ["/x"]
    known.apply_rules(Rules())
    assert serves(known, "GET /books")
