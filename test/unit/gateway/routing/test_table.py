"""The table of routes: where requests lead, and whose each route is."""

import msgspec
import pytest
from support.openapi_documents import at, declared, understood
from support.upstream import openapi_document

from bookshelf.discovery.port import Snapshot
from bookshelf.http.problem import Problem
from bookshelf.http.router import Router
from gateway.routing.catalog import RefusedRoute, RouteTable
from gateway.routing.document import BadDocument, Document, read
from gateway.routing.rules import Rules, parse
from gateway.upstream.call import Route
from gateway.upstream.pool import Pools


def made(*documents: Document, rules: Rules | None = None, pools: Pools | None = None) -> RouteTable:
    return RouteTable(documents, rules or Rules(), pools or Pools(), "/bookshelf")


def table(*documents: Document) -> Router[Route]:
    return made(*documents).router


def refused(found: RouteTable) -> list[tuple[str, str, str]]:
    return [(one.service, f"{one.method} {one.path}", one.why) for one in found.refused]


def test_literal_segments_precede_parameters() -> None:
    found = table(
        declared("one", ("one",), "GET /books/{id}"), declared("last", ("last",), "GET /books/last/read")
    )
    assert found.find("GET", "/books/last/read")[0].pool.name == "last"
    assert found.find("GET", "/books/last")[0].pool.name == "one"


def test_a_route_is_named_with_the_prefix() -> None:
    assert table(declared("s", ("t",), "GET /books/{id}")).find("GET", "/books/7")[0].template == (
        "/bookshelf/books/{id}"
    )


def test_head_is_routed_like_get() -> None:
    assert table(declared("s", ("t",), "GET /books")).find("HEAD", "/books")[0].pool.name == "t"


def test_a_missing_method_is_answered_with_the_methods_of_all_services() -> None:
    found = table(declared("a", ("a",), "GET /books"), declared("b", ("b",), "POST /books"))
    with pytest.raises(Problem) as caught:
        found.find("PUT", "/books")
    assert caught.value.headers["Allow"] == "GET, HEAD, POST"


def test_a_route_of_two_services_belongs_to_the_first() -> None:
    found = table(declared("a", ("a",), "GET /books"), declared("b", ("b",), "GET /books"))
    assert found.find("GET", "/books")[0].pool.name == "a"


def test_a_path_is_matched_without_decoding() -> None:
    found = table(declared("s", ("t",), "GET /books", "GET /books/{id}", "GET /books/last/read"))
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


@pytest.mark.parametrize("second", ["GET /books/{name}", "HEAD /books/{id}", "GET /books/{id}"])
def test_a_route_that_two_services_publish_belongs_to_the_first(second: str) -> None:
    found = made(declared("a", ("a",), "GET /books/{id}"), declared("b", ("b",), second))
    assert refused(found) == [("b", second, "a has it")]
    for method in ("GET", "HEAD"):
        assert found.router.find(method, "/books/7")[0].service == "a"


def test_two_versions_of_one_service_share_its_routes() -> None:
    found = made(declared("a", ("a",), "GET /x"), declared("a", ("a",), "GET /x", "GET /y"))
    assert refused(found) == []
    assert len(found.routes) == 2


@pytest.mark.parametrize("path", ["/health", "/metrics/x", "/gateway", "/apidocs/y", "/openapi.json"])
def test_reserved_first_segments_are_refused(path: str) -> None:
    found = made(declared("a", ("a",), f"GET {path}"))
    assert refused(found) == [("a", f"GET {path}", "the gateway keeps this for itself")]
    assert found.routes == []


def test_a_service_gets_only_routes_below_allowed_prefixes() -> None:
    rules = parse({"allow": {"a": ["/a"], "*": []}})
    found = made(
        declared("a", ("a",), "GET /a", "GET /a/{id}", "GET /ab"),
        declared("b", ("b",), "GET /b"),
        rules=rules,
    )
    assert [(one.service, one.path) for one in found.refused] == [("a", "/ab"), ("b", "/b")]
    assert [route.template for _, route in found.routes] == ["/bookshelf/a", "/bookshelf/a/{id}"]


def test_a_route_that_rules_add_is_refused_to_services() -> None:
    rules = parse({"add": [{"path": "/covers/{id}", "tags": ["covers"], "deadline_s": 2}]})
    found = made(declared("a", ("a",), "GET /covers/{x}"), rules=rules)
    route = found.router.find("HEAD", "/covers/7")[0]
    assert (route.pool.name, route.deadline_s) == ("covers", 2)
    assert refused(found) == [("a", "GET /covers/{x}", "rules has it")]


def test_a_route_that_rules_forbid_is_refused() -> None:
    found = made(declared("a", ("a",), "GET /x", "DELETE /x"), rules=parse({"forbid": [{"path": "/x"}]}))
    assert {one[2] for one in refused(found)} == {"the rules forbid it"}
    assert found.routes == []


@pytest.mark.parametrize(
    "path", ["books", "/books/", "/a//b", "/a/{b}c", "/a/{}", "/a b", "/" + "x" * 600, "/a\\b"]
)
def test_only_the_path_that_cannot_be_matched_is_refused(path: str) -> None:
    given = openapi_document("a", ("a",), "GET /good")
    given["paths"][path] = {"get": {}}
    found = made(understood(given))
    assert [one.service for one in found.refused] == ["a"]
    assert [route.template for _, route in found.routes] == ["/bookshelf/good"]


def test_a_route_has_the_values_of_its_operation() -> None:
    given = openapi_document("a", ("a",), "POST /books")
    given["paths"]["/books"]["post"] |= {
        "parameters": [{"$ref": "#/components/parameters/Key"}],
        "x-bookshelf": {"deadline_s": 1.5, "aggregate": "newbook", "subject": "created"},
    }
    given["components"] = {"parameters": {"Key": {"name": "idempotency-key", "in": "header"}}}
    route = table(understood(given)).find("POST", "/books")[0]
    assert (route.keyed, route.deadline_s, route.aggregate, route.creates) == (True, 1.5, "newbook", True)


@pytest.mark.parametrize("value", [{"deadline_s": 0}, {"deadline_s": "x"}, {"aggregate": "a b"}, [], "x"])
def test_an_operation_with_invalid_values_is_refused(value: object) -> None:
    given = openapi_document("a", ("a",), "GET /x")
    given["paths"]["/x"]["get"]["x-bookshelf"] = value
    [one] = made(understood(given)).refused
    assert isinstance(one, RefusedRoute)
    assert one.path == "/x"


def test_a_document_without_service_or_tags_is_found_by_its_own_name() -> None:
    pools = Pools()
    pools.update(Snapshot((at("1", "t", service="mine"), at("2", "t", service="other"))))
    given = openapi_document("mine", ("t",), "GET /x")
    del given["x-bookshelf"]
    found = made(understood(given, at("1", "t", service="mine")), pools=pools)
    assert [one.instance.id for one in found.router.find("GET", "/x")[0].pool.endpoints] == ["1"]


def with_root(service: str, root: str, *pages: str, foreign: bool = False) -> Document:
    """Return the document of a service of pages."""
    origin = {"service": service, "tags": [service], "root": root, "pages": pages}
    instance = msgspec.structs.replace(at("i", service=service), foreign=foreign)
    return read(msgspec.json.encode({"x-bookshelf": origin}), instance)


def roots(found: RouteTable) -> dict[str, str]:
    return {root: route.service for root, route in found.roots.items()}


def test_the_first_service_keeps_a_root() -> None:
    found = made(with_root("site", "/"), with_root("other", "/"), with_root("shopsite", "/shop"))
    assert roots(found) == {"/": "site", "/shop": "shopsite"}
    assert refused(found) == [("other", "ANY /", "site has it")]


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/books/add", "/books/add"),
        ("/books/dune", "/books/{id}"),
        ("/books/dune/nothing", "/*"),
        ("/books/%FF", "/*"),
        ("/shop/cart", "/shop/cart"),
        ("/shop/books", "/shop/*"),
    ],
)
def test_a_page_is_named_by_its_template_and_else_by_its_root(path: str, template: str) -> None:
    site = with_root("site", "/", "/", "/books/add", "/books/{id}")
    route = made(site, with_root("shopsite", "/shop", "/shop/cart")).page_route(path)
    assert route is not None
    assert route.template == template


def test_a_document_with_a_malformed_address_of_a_page_is_refused() -> None:
    with pytest.raises(BadDocument):
        with_root("site", "/", "/books?x=1")


def test_a_service_has_the_root_of_its_newest_edition() -> None:
    assert roots(made(with_root("site", "/"), with_root("site", "/former"))) == {"/": "site"}


@pytest.mark.parametrize("root", ["/gateway", "/apidocs", "/health/pages", "/bookshelf", "/bookshelf/shop"])
def test_a_root_where_the_gateway_answers_itself_is_refused(root: str) -> None:
    found = made(with_root("site", root))
    assert roots(found) == {}
    assert refused(found) == [("site", f"ANY {root}", "the gateway keeps this for itself")]


def test_a_foreign_service_has_the_root_that_the_rules_give_it_and_no_other() -> None:
    wiki = with_root("wiki", "/wiki", foreign=True)
    assert refused(made(wiki)) == [("wiki", "ANY /wiki", "a foreign service may not have pages here")]
    rules = parse({"roots": {"wiki": "/wiki"}})
    assert roots(made(wiki, rules=rules)) == {"/wiki": "wiki"}
    assert roots(made(with_root("wiki", "/", foreign=True), rules=rules)) == {}


@pytest.mark.parametrize("root", ["shop", "/Shop", "/shop/", "//", "/{id}", "/a b", "/shop?x"])
def test_a_document_with_a_malformed_root_is_refused(root: str) -> None:
    with pytest.raises(BadDocument, match="root"):
        with_root("site", root)
