"""What is remembered of services that come, go and are renewed."""

import msgspec
import pytest
from support.upstream import described

from bookshelf.runtime.http.problem import Problem
from gateway.routes.document import Document, read
from gateway.routes.known import Known


def document(service: str, *routes: str) -> Document:
    return read(msgspec.json.encode(described(service, (service,), *routes)), service)


@pytest.fixture
def known() -> Known:
    return Known("/bookshelf")


def serves(known: Known, route: str) -> bool:
    try:
        known.router.find(*route.split(" "))
    except Problem:
        return False
    return True


def test_at_first_nothing_is(known: Known) -> None:
    assert not known.editions
    assert not serves(known, "GET /books")
    assert msgspec.json.decode(known.document)["paths"] == {}


def test_a_service_is_known_by_its_routes_and_in_the_document(known: Known) -> None:
    known.learn(("a", "1"), document("a", "GET /books"))
    assert known.services == {"a"}
    assert serves(known, "GET /books")
    assert list(msgspec.json.decode(known.document)["paths"]) == ["/books"]


def test_a_service_without_instances_stays_known(known: Known) -> None:
    known.learn(("a", "1"), document("a", "GET /books"))
    known.forget_former(set())
    assert serves(known, "GET /books")


def test_while_two_editions_run_the_routes_of_both_are_served(known: Known) -> None:
    known.learn(("a", "1"), document("a", "GET /old"))
    known.learn(("a", "2"), document("a", "GET /new"))
    known.forget_former({("a", "1"), ("a", "2")})
    assert serves(known, "GET /old")
    assert serves(known, "GET /new")


def test_an_edition_is_forgotten_once_only_a_newer_known_one_runs(known: Known) -> None:
    known.learn(("a", "1"), document("a", "GET /old"))
    known.forget_former({("a", "2")})
    assert serves(known, "GET /old")
    known.learn(("a", "2"), document("a", "GET /new"))
    known.forget_former({("a", "2")})
    assert not serves(known, "GET /old")
    assert known.editions == {("a", "2")}


def test_the_order_in_which_services_were_met_does_not_matter(known: Known) -> None:
    other = Known("/bookshelf")
    for service in "ab":
        known.learn((service, "1"), document(service, "GET /books"))
    for service in "ba":
        other.learn((service, "1"), document(service, "GET /books"))
    assert known.document == other.document
