"""Any bad input is answered 4xx, as problem details that name what to correct."""

import gzip
from typing import Any

import pytest
from support.client import Client
from support.program import Program

KIM = {"title": "Kim", "author": "Rudyard Kipling"}
#: A hundred mebibytes of JSON, as a hundred kibibytes.
BOMB = gzip.compress(b'{"title": "Kim", "author": "' + b"x" * (100 << 20) + b'"}', 1)
JSON = {"Content_Type": "application/json"}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"author": "x"}, "/title"),
    ({"title": "x"}, "/author"),
    ({**KIM, "title": ""}, "/title"),
    ({**KIM, "title": " \u3000\u00a0"}, "/title"),
    ({**KIM, "author": "  "}, "/author"),
    ({**KIM, "title": None}, "/title"),
    ({**KIM, "title": 1984}, "/title"),
    ({**KIM, "author": ["a"]}, "/author"),
    ({**KIM, "title": "x" * 1001}, "/title"),
    ({**KIM, "title": "a\u0000b"}, "/title"),
    ({**KIM, "author": "a\u0000"}, "/author"),
    ({**KIM, "title": "a\nb"}, "/title"),
    ({**KIM, "notes": "a\u0000b"}, "/notes"),
    ({**KIM, "published": 1901}, "/published"),
    ({**KIM, "published": "x" * 51}, "/published"),
    ({**KIM, "isbn": "12"}, "/isbn"),
    ({**KIM, "pages": 0}, "/pages"),
    ({**KIM, "pages": -1}, "/pages"),
    ({**KIM, "pages": "300"}, "/pages"),
    ({**KIM, "pages": 1.5}, "/pages"),
    ({**KIM, "pages": 1e300}, "/pages"),
    ({**KIM, "pages": 10**30}, "/pages"),
    ({**KIM, "pages": True}, "/pages"),
    ({**KIM, "tags": "a, b"}, "/tags"),
    ({**KIM, "tags": ["a", ""]}, "/tags"),
    ({**KIM, "tags": [1]}, "/tags"),
    ({**KIM, "tags": ["x"] * 201}, "/tags"),
    ({**KIM, "tags": {"a": "b"}}, "/tags"),
    ({**KIM, "colour": "red"}, "/colour"),
    ({**KIM, "id": "not mine"}, "/id"),
    ({**KIM, "state": "finished"}, "/state"),
    ({**KIM, "__class__": "x"}, "/__class__"),
]


@pytest.mark.parametrize(("body", "place"), WRONG)
def test_a_book_that_cannot_be(either: Client, body: dict[str, Any], place: str) -> None:
    answer = either.post("/books", body)
    assert (answer.status, answer.problem) == (422, "invalid")
    assert (answer.place or "").startswith(place)
    assert "Traceback" not in answer.content.decode()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"rating": 0}, "/rating"),
        ({"rating": 6}, "/rating"),
        ({"rating": "5"}, "/rating"),
        ({"rating": 4.5}, "/rating"),
        ({"finished": "yesterday"}, "/finished"),
        ({"finished": "2024-02-30"}, "/finished"),
        ({"finished": "2999-01-01"}, "/finished"),
        ({"finished": "0000-00-00"}, "/finished"),
        ({"finished": 20240101}, "/finished"),
        ({"review": "x" * 50_001}, "/review"),
        ({"review": "\u0000"}, "/review"),
        ({"colour": 5}, "/colour"),
    ],
)
def test_an_end_that_cannot_be(either: Client, body: dict[str, Any], place: str) -> None:
    book = either.add("Kim")
    answer = either.post(f"/books/{book['id']}/finished", body)
    assert (answer.status, answer.problem, answer.place) == (422, "invalid", place)
    assert either.get(f"/books/{book['id']}").json == book


@pytest.mark.parametrize(
    "body", [{"title": None}, {"title": " "}, {"state": "finished"}, {"rating": 5}, {"id": "x"}]
)
def test_a_change_that_cannot_be(either: Client, body: dict[str, Any]) -> None:
    book = either.add("Kim")
    answer = either.patch(f"/books/{book['id']}", body)
    assert (answer.status, answer.place) == (422, "/" + next(iter(body)))
    assert either.get(f"/books/{book['id']}").json == book


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"null x",
        b"\xff\xfe",
        b'{"title": "Kim", "author": "x"} {}',
        b"{'title': 'Kim', 'author': 'x'}",
        b'{"title": "\xc3", "author": "x"}',
        b'{"title": "\\ud800", "author": "x"}',
        b'{"title": "\\udc00\\ud800", "author": "x"}',
        b'{"title": "\xed\xa0\x80", "author": "x"}',
        b'{"title": "a\x00b", "author": "x"}',
        b'{"title": NaN, "author": "x"}',
        b"[" * 500_000,
        b'{"title":' * 50_000,
        b'{"title": "x", "author": "x", "notes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"title=Kim&author=x",
    ],
)
def test_what_is_no_json(either: Client, body: bytes) -> None:
    answer = either.post("/books", body, **JSON)
    assert answer.status in {400, 422}
    assert answer.problem in {"malformed", "invalid"}


@pytest.mark.parametrize("body", [b"null", b"1", b'"x"', b"[]", b"true", b"[{}]"])
def test_json_that_is_no_book(either: Client, body: bytes) -> None:
    assert either.post("/books", body, **JSON).problem == "invalid"


def test_a_body_that_is_too_large(either: Client) -> None:
    body = b'{"title": "Kim", "author": "x", "notes": "%s"}' % (b"n" * (1 << 20))
    answer = either.post("/books", body, **JSON)
    assert (answer.status, answer.problem) == (413, "too-large")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "json", ""]
)
def test_another_media_type(either: Client, kind: str) -> None:
    answer = either.post("/books", b'{"title": "Kim", "author": "x"}', Content_Type=kind)
    if kind:
        assert (answer.status, answer.problem) == (415, "media-type")
    assert answer.status < 500


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/json;x=y"]
)
def test_json_by_its_other_names(either: Client, kind: str) -> None:
    assert either.post("/books", b'{"title": "Kim", "author": "x"}', Content_Type=kind).status == 201


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08", BOMB], ids=["a beginning", "a bomb"])
def test_a_compressed_body(either: Client, body: bytes) -> None:
    answer = either.post("/books", body, Content_Encoding="gzip", **JSON)
    assert (answer.status, answer.problem) == (415, "media-type")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_another_method(running: Program, method: str) -> None:
    answer = running.client.ask(method, "/books")
    assert (answer.status, answer.problem) == (405, "method")
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    "path",
    [
        "/shelves",
        "/books/",
        "/books//",
        "//books",
        "/books/x/y",
        "/books/x/finished/",
        "/books/../books",
        "/Books",
    ],
)
def test_a_path_where_nothing_is(either: Client, path: str) -> None:
    answer = either.get(path)
    assert (answer.status, answer.problem) == (404, "no-route")


def test_a_long_path(running: Program) -> None:
    assert running.client.get("/books/" + "x" * 4000).status in {400, 404, 414}
