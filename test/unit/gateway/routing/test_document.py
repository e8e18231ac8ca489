"""Documents of services: what they may describe, and what is rejected."""

import msgspec
import pytest
from support.openapi_documents import at, understood
from support.upstream import openapi_document

from gateway.routing.document import BadDocument, read


def test_routes_are_read_from_methods_and_paths() -> None:
    given = openapi_document("s", ("t",), "GET /books", "POST /books", "DELETE /books/{id}")
    given["paths"]["/books"]["parameters"] = []
    document = understood(given)
    found = {(one.method, one.path) for one in document.operations}
    assert found == {("GET", "/books"), ("POST", "/books"), ("DELETE", "/books/{id}")}
    assert (document.tags, document.own) == (("t",), False)


def test_a_document_without_tags_has_those_of_the_registration() -> None:
    document = read(b'{"openapi":"3.0.0","paths":{"/x":{"get":{}}}}', at("i", "t", "u"))
    assert (document.service, document.tags, document.own) == ("s", ("t", "u"), True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"x-bookshelf":{"service":"s"}}',
        b'{"x-bookshelf":{"service":"s","tags":[]}}',
        b'{"x-bookshelf":{"service":"","tags":["t"]}}',
        b'{"x-bookshelf":{"service":"s","tags":["t"]},"paths":[]}',
        b'{"x-bookshelf":{"service":"s","tags":["t"]},"paths":{"/x":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}}",
    ],
)
def test_an_unusable_document_is_rejected(content: bytes) -> None:
    with pytest.raises(BadDocument, match="the document of s cannot be read"):
        read(content, at("i"))


def test_a_document_describes_only_its_own_service() -> None:
    with pytest.raises(BadDocument, match="an instance of s serves the document of other"):
        read(msgspec.json.encode(openapi_document("other", ("t",))), at("i"))


def nested(depth: int) -> bytes:
    return b'{"components":{"schemas":{"x":' + b'{"x":' * depth + b"0" + b"}" * depth + b"}}}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (nested(70), "more than 64 values inside each other"),
        (b'{"swagger":"2.0"}', "of OpenAPI 2"),
        (
            msgspec.json.encode({"components": {"schemas": {f"s{n}": {} for n in range(1001)}}}),
            "has 1001 components",
        ),
        (msgspec.json.encode({"paths": {f"/{n}": {"get": {}} for n in range(501)}}), "has 501 operations"),
    ],
)
def test_a_document_over_a_limit_or_of_another_type_is_rejected(content: bytes, why: str) -> None:
    with pytest.raises(BadDocument, match=why):
        read(content, at("i"))


def test_a_document_within_all_limits_is_accepted() -> None:
    assert read(nested(50), at("i")).components
