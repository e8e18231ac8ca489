"""One document of all services."""

import msgspec
from support.openapi_documents import understood
from support.upstream import Json, openapi_document

from bookshelf.runtime.openapi import GATEWAY_FAULTS, problem_schemas
from gateway.routing.catalog import RouteTable, merged
from gateway.routing.rules import Rules
from gateway.upstream.pool import Pools


def one(*documents: Json) -> Json:
    found = [understood(given) for given in documents]
    granted = RouteTable(found, Rules(), Pools(), "/bookshelf").granted
    return msgspec.json.decode(merged(found, granted, "/bookshelf"), type=Json)


def schemas(service: str, **named: Json) -> Json:
    return {**openapi_document(service, ("t",)), "components": {"schemas": named}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def own_schemas(document: Json) -> Json:
    """Return the schemas of the services; those of the gateway's own errors are in every document."""
    found: Json = document["components"]["schemas"]
    return {name: schema for name, schema in found.items() if name not in problem_schemas()}


def test_the_merged_document_is_openapi_31_with_the_gateway_s_prefix() -> None:
    document = one()
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "/bookshelf"}]
    assert document["info"]["title"] == "Bookshelf"
    assert document["paths"] == {}


def test_methods_of_several_services_are_merged_under_one_path() -> None:
    document = one(
        openapi_document("a", ("t",), "POST /books"),
        openapi_document("b", ("t",), "GET /books", "GET /books/{id}"),
    )
    assert {path: set(item) for path, item in document["paths"].items()} == {
        "/books": {"get", "post"},
        "/books/{id}": {"get"},
    }


def test_an_operation_of_two_services_is_that_of_the_first() -> None:
    document = one(openapi_document("a", ("t",), "GET /books"), openapi_document("b", ("t",), "GET /books"))
    assert document["paths"]["/books"]["get"]["summary"] == "a"


def test_refused_routes_are_not_in_the_merged_document() -> None:
    document = one(
        openapi_document("a", ("t",), "GET /books/{id}"),
        openapi_document("b", ("t",), "GET /books/{x}", "GET /y"),
    )
    assert set(document["paths"]) == {"/books/{id}", "/y"}


def test_every_operation_has_its_own_errors_and_the_gateway_s() -> None:
    given = openapi_document("a", ("t",), "GET /books", "POST /books")
    given["paths"]["/books"]["get"]["responses"] = {"200": {}, "403": {"description": "mine"}}
    found = one(given)["paths"]["/books"]
    assert found["get"]["responses"].keys() == {"200", *GATEWAY_FAULTS}
    assert found["get"]["responses"]["403"] == {"description": "mine"}
    assert found["post"]["responses"].keys() >= {*GATEWAY_FAULTS}


def test_a_problem_schema_of_a_service_differs_in_name_from_the_gateway_s() -> None:
    document = one(schemas("a", ProblemDetails={"type": "string"}))
    assert document["components"]["schemas"]["ProblemDetails-a"] == {"type": "string"}


def test_each_tag_is_listed_once() -> None:
    tag = {"name": "books", "description": "All about books."}
    first, second = openapi_document("a", ("t",)), openapi_document("b", ("t",))
    document = one({**first, "tags": [tag]}, {**second, "tags": [tag, {"name": "b"}]})
    assert document["tags"] == [tag, {"name": "b"}]


def test_equal_schemas_of_the_same_name_are_merged() -> None:
    document = one(schemas("a", Book={"type": "object"}), schemas("b", Book={"type": "object"}))
    assert own_schemas(document) == {"Book": {"type": "object"}}


def test_different_schemas_of_the_same_name_are_renamed() -> None:
    second = schemas("b", Book={"type": "string"}, Shelf={"type": "array", "items": ref("Book")})
    second["paths"] = {"/shelf": {"get": {"responses": {"200": ref("Book"), "default": [ref("Shelf")]}}}}
    document = one(schemas("a", Book={"type": "object"}), second)
    assert own_schemas(document) == {
        "Book": {"type": "object"},
        "Book-b": {"type": "string"},
        "Shelf": {"type": "array", "items": ref("Book-b")},
    }
    responses = document["paths"]["/shelf"]["get"]["responses"]
    assert {status: responses[status] for status in ("200", "default")} == {
        "200": ref("Book-b"),
        "default": [ref("Shelf")],
    }


def test_equal_schemas_with_different_references_are_renamed() -> None:
    page = {"items": ref("Book")}
    document = one(
        schemas("a", Book={"type": "object"}, Page=page), schemas("b", Book={"type": "string"}, Page=page)
    )
    assert document["components"]["schemas"]["Page"] == page
    assert document["components"]["schemas"]["Page-b"] == {"items": ref("Book-b")}


def test_a_property_named_ref_is_not_a_reference() -> None:
    odd = {"properties": {"$ref": {"type": "string"}}}
    assert one(schemas("a", Odd=odd), schemas("b", Odd={}))["components"]["schemas"]["Odd"] == odd


def test_merging_the_same_documents_gives_the_same_bytes() -> None:
    given = [openapi_document("a", ("t",), "GET /x", "GET /y")]
    assert one(*given) == one(*given)
