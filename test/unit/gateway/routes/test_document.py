"""What a service says of itself, and what is not believed."""

import msgspec
import pytest
from support.upstream import described

from gateway.routes.document import BadDocument, read


def test_routes_are_its_methods_and_paths() -> None:
    given = described("s", ("t",), "GET /books", "POST /books", "DELETE /books/{id}")
    given["paths"]["/books"]["parameters"] = []
    document = read(msgspec.json.encode(given), "s")
    assert set(document.routes()) == {("GET", "/books"), ("POST", "/books"), ("DELETE", "/books/{id}")}
    assert document.origin.tags == ("t",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
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
def test_what_cannot_be_used_is_said_to_be_bad(content: bytes) -> None:
    with pytest.raises(BadDocument, match="the document of s cannot be read"):
        read(content, "s")


def test_a_service_speaks_for_itself_only() -> None:
    with pytest.raises(BadDocument, match="an instance of s serves the document of other"):
        read(msgspec.json.encode(described("other", ("t",))), "s")
