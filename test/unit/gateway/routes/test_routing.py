"""Which instances a request may go to, and whose turn it is."""

import msgspec
import pytest
from support.upstream import described

from bookshelf.discovery.port import Instance, Snapshot
from bookshelf.runtime.http.problem import Problem
from bookshelf.runtime.http.router import Router
from gateway.routes.document import Document, read
from gateway.routes.routing import Route, routes
from gateway.upstream.pool import Pool, Pools


def instance(name: str, *tags: str) -> Instance:
    return Instance(id=name, service="s", tags=tags, address="127.0.0.1", port=1)


def ids(pool: Pool) -> list[str]:
    return [found.id for found in pool.in_turn()]


def document(service: str, tags: tuple[str, ...], *given: str) -> Document:
    return read(msgspec.json.encode(described(service, tags, *given)), service)


def table(*documents: Document) -> Router[Route]:
    return routes(documents, Pools(), "/bookshelf")


def test_only_who_has_all_the_tags_is_asked() -> None:
    pool = Pool(("books", "new"))
    pool.become(
        Snapshot((instance("a", "books", "list"), instance("b", "new", "books", "x"), instance("c", "new")))
    )
    assert ids(pool) == ["b"]


def test_each_has_its_turn_and_the_others_follow() -> None:
    pool = Pool(("t",))
    pool.become(Snapshot(tuple(instance(name, "t") for name in "abc")))
    assert [ids(pool) for _ in range(4)] == [list("bca"), list("cab"), list("abc"), list("bca")]


def test_the_turn_goes_on_when_instances_come_and_go() -> None:
    pool = Pool(("t",))
    pool.become(Snapshot(tuple(instance(name, "t") for name in "abc")))
    ids(pool), ids(pool)
    pool.become(Snapshot((instance("a", "t"), instance("b", "t"))))
    assert [ids(pool) for _ in range(2)] == [list("ba"), list("ab")]
    pool.become(Snapshot())
    assert ids(pool) == []


def test_a_pool_that_is_made_late_knows_who_is_ready() -> None:
    pools = Pools()
    pools.become(Snapshot((instance("a", "t"),)))
    assert ids(pools.of(("t",))) == ["a"]
    pools.become(Snapshot())
    assert ids(pools.of(("t",))) == []


def test_literal_segments_go_before_parameters() -> None:
    found = table(
        document("one", ("one",), "GET /books/{id}"), document("last", ("last",), "GET /books/last/read")
    )
    assert found.find("GET", "/books/last/read")[0].pool.tags == ("last",)
    assert found.find("GET", "/books/last")[0].pool.tags == ("one",)


def test_a_route_is_named_with_the_prefix() -> None:
    assert table(document("s", ("t",), "GET /books/{id}")).find("GET", "/books/7")[0].template == (
        "/bookshelf/books/{id}"
    )


def test_head_goes_where_get_goes() -> None:
    assert table(document("s", ("t",), "GET /books")).find("HEAD", "/books")[0].pool.tags == ("t",)


def test_a_method_that_no_service_has_is_answered_with_those_of_all() -> None:
    found = table(document("a", ("a",), "GET /books"), document("b", ("b",), "POST /books"))
    with pytest.raises(Problem) as caught:
        found.find("PUT", "/books")
    assert caught.value.headers["Allow"] == "GET, HEAD, POST"


def test_a_route_of_two_services_is_the_first_ones() -> None:
    found = table(document("a", ("a",), "GET /books"), document("b", ("b",), "GET /books"))
    assert found.find("GET", "/books")[0].pool.tags == ("a",)


def test_a_path_is_matched_as_it_was_sent() -> None:
    found = table(document("s", ("t",), "GET /books", "GET /books/{id}", "GET /books/last/read"))
    for path in (
        "/books//",
        "//books",
        "/books/last%2fread/x",
        "/BOOKS",
        "/%62ooks",
        "/./books",
        "/x/../books",
        "",
    ):
        with pytest.raises(Problem, match="nothing is served"):
            found.find("GET", path)
    assert found.find("GET", "/books/a%2Fb")[1] == "/books/{id}"
