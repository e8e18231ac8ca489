"""The merged document, as the gateway serves it, has all that a client needs for every operation."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from support.client import Client
from support.program import Program

from bookshelf.cqrs.handler import HandlerRoute
from bookshelf.services import SERVICES

Json = dict[str, Any]

#: What RE2 or ECMA-262 lack, or read otherwise: groups with options, anchors of Python, possessive repeats.
NOT_PORTABLE = re.compile(r"\(\?(?!:)|\\[AZzGbBK]|\\p\{|[+*?}]\+|\\[1-9]")
#: RE2 counts no further, nested counts multiplied.
MOST_REPEATS = 1000
#: Answers without a version: a stream of events, and the results of many commands.
UNVERSIONED = {
    ("200", "/changes/events"),
    ("200", "/books/bulk"),
    ("200", "/readings/bulk"),
    ("200", "/lists/bulk"),
    # a page as well as JSON, and never changed
    ("200", "/shop/invoices/{number}"),
    # a stream
    ("200", "/shop/orders/{id}/events"),
}
#: What handlers answer has the headers that they set.
HANDLED = {
    f"{route.method.lower()} {route.path}"
    for service in SERVICES
    if not service.root
    for route in service.loaded().serves
    if isinstance(route, HandlerRoute)
}
GATEWAY = {"401", "403", "421", "429", "502", "503", "504"}


@pytest.fixture(scope="module")
def merged(running: Program) -> Json:
    found: Json = Client(running.note.url).get("/openapi.json").json
    return found


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    """Yield each operation with schemas, by its name; a handler's has none, and a default response."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "default" not in operation["responses"]:
                yield f"{method} {path}", operation


def schemas(part: Any) -> Iterator[Json]:  # noqa: ANN401 (any JSON)
    """Yield every object of a document: whatever may be a schema."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from schemas(inner)


def test_every_parameter_is_described_and_its_examples_are_allowed(merged: Json) -> None:
    for name, operation in operations(merged):
        for parameter in operation["parameters"]:
            where = f"{name}: {parameter['name']}"
            assert parameter["description"].strip(), where
            assert parameter["schema"]["type"] in {"string", "integer", "array", "boolean"}, where
            for shown in [
                *parameter["schema"].get("examples", ()),
                *([parameter["example"]] if "example" in parameter else []),
            ]:
                jsonschema.validate(shown, parameter["schema"])
            if parameter["required"]:
                assert "example" in parameter, where


def test_every_body_has_a_valid_example_without_null(merged: Json) -> None:
    for name, operation in operations(merged):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        answers = [one for status, one in operation["responses"].items() if status.startswith("2")]
        for part in [*bodies, *answers]:
            for content in part.get("content", {}).values():
                schema = {**content["schema"], "components": merged["components"]}
                jsonschema.validate(content["example"], schema)
                shown = content["example"]
                for one in shown if isinstance(shown, list) else [shown]:
                    assert not isinstance(one, dict) or None not in one.values(), name


def test_the_document_of_finishing_has_exactly_the_accepted_fields(merged: Json, running: Program) -> None:
    assert merged["components"]["schemas"]["Finishing"]["properties"].keys() == {
        "finished",
        "rating",
        "review",
    }
    client = running.client
    book = client.add("Dune")
    assert client.post(f"/books/{book['id']}/finished", {**book, "finished": "2024-03-01"}).status == 204


def test_every_pattern_is_valid_in_every_engine(merged: Json) -> None:
    patterns = {one["pattern"] for one in schemas(merged) if isinstance(one.get("pattern"), str)}
    assert patterns
    for pattern in patterns:
        assert NOT_PORTABLE.search(pattern) is None, pattern
        assert pattern.startswith("^"), pattern
        assert pattern.endswith("$"), pattern
        assert repeats(pattern) <= MOST_REPEATS, pattern
        re.compile(pattern)


def repeats(pattern: str) -> int:
    """Return the largest product of nested counts: RE2 refuses what is over 1000."""
    inner = max((int(count) for count in re.findall(r"\{\d*,?(\d+)\}", pattern)), default=1)
    outer = max((int(count) for count in re.findall(r"\)\{\d*,?(\d+)\}", pattern)), default=1)
    return inner * outer if outer > 1 else inner


def test_every_operation_has_the_errors_of_the_gateway(merged: Json) -> None:
    for name, operation in operations(merged):
        assert operation["responses"].keys() >= GATEWAY | {"400", "404", "422"}, name
        for status, response in operation["responses"].items():
            assert response["description"].strip(), (name, status)
            if int(status) >= 400:
                [(media_type, content)] = response["content"].items()
                assert media_type == "application/problem+json", (name, status)
                jsonschema.validate(
                    content["example"], {**content["schema"], "components": merged["components"]}
                )
                assert content["example"]["status"] == int(status)


def test_the_operations_of_handlers_have_their_errors_and_described_parameters(merged: Json) -> None:
    found = merged["paths"]["/files"] | merged["paths"]["/files/{id}"]
    assert found.keys() == {"post", "get", "delete"}
    for operation in found.values():
        assert operation["responses"].keys() >= GATEWAY | {
            "default",
            "400",
            "404",
            "408",
            "413",
            "415",
            "422",
        }
        assert all(response["description"].strip() for response in operation["responses"].values())
        assert all(parameter["description"].strip() for parameter in operation["parameters"])


def test_every_response_names_its_headers(merged: Json) -> None:
    for name, operation in operations(merged):
        for status, response in operation["responses"].items():
            headers = response.get("headers", {})
            assert all(one["description"] and one["example"] for one in headers.values()), (name, status)
            where = (name, status)
            if (status, name.partition(" ")[2]) in UNVERSIONED or name in HANDLED:
                continue
            assert "ETag" in headers or int(status) >= 400, where
            assert "Location" in headers or status != "201", where
            assert "Retry-After" in headers or status not in {"429", "503"}, where
            assert "WWW-Authenticate" in headers or status != "401", where
            if status.startswith("2") and not name.startswith("get "):
                assert headers.keys() >= {"Bookshelf-Position", "Idempotency-Replayed"}, where
    assert "Link" in merged["paths"]["/books"]["get"]["responses"]["200"]["headers"]


def test_the_problems_of_the_document_are_those_of_the_code(merged: Json, running: Program) -> None:
    reply = running.client.ask("POST", "/books", {"titel": "x", "pages": 0})
    assert reply.status == 422
    schema = {"$ref": "#/components/schemas/ProblemDetails", "components": merged["components"]}
    jsonschema.validate(reply.json, schema)
    assert [(one["pointer"], one["detail"]) for one in reply.json["errors"]] == [
        ("/title", "is required"),
        ("/pages", "must be a whole number from 1 to 100000 or null"),
        ("/titel", "is not known here; did you mean title?"),
    ]
