"""A fault of a request is reported with its place and its correction, and none causes a defect."""

from datetime import datetime
from typing import Any, ClassVar

import msgspec
import pytest
from support.endpoint import Asked
from support.shelf import DUNE, Shelf

from bookshelf.cqrs.message import Command
from bookshelf.cqrs.route import CommandRoute
from bookshelf.shelf.book import BOOK

SURROGATE = b'{"title": "\\ud800", "author": "x"}'


async def problem_of(shelf: Shelf, method: str, target: str, body: Any = None, **headers: str) -> Any:  # noqa: ANN401 (JSON)
    """Return the problem that is answered, having checked its form."""
    answer = await shelf.send(method, target, body, **headers)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == answer.status
    assert 400 <= answer.status < 500, problem
    assert problem["type"].startswith("urn:bookshelf:problem:")
    assert problem["detail"]
    assert "Traceback" not in problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("body", "status", "pointer", "detail"),
    [
        ({"author": "x"}, 422, "/title", "is required"),
        ({"title": "x"}, 422, "/author", "is required"),
        ({**DUNE, "title": None}, 422, "/title", "must be text of up to 1000 characters, not null"),
        ({**DUNE, "title": ""}, 422, "/title", "must not be blank, and has no control characters"),
        ({**DUNE, "title": " \t"}, 422, "/title", "must not be blank, and has no control characters"),
        ({**DUNE, "title": "\u2003"}, 422, "/title", "must not be blank, and has no control characters"),
        ({**DUNE, "author": "   "}, 422, "/author", "must not be blank, and has no control characters"),
        ({**DUNE, "title": "Dune\n"}, 422, "/title", "must not be blank, and has no control characters"),
        ({**DUNE, "title": "Du\x00ne"}, 422, "/title", "must not be blank, and has no control characters"),
        ({**DUNE, "title": "x" * 10_001}, 422, "/title", "must be text of up to 1000 characters"),
        ({**DUNE, "title": 1965}, 422, "/title", "must be text of up to 1000 characters, not a whole number"),
        (
            {**DUNE, "published": 1965},
            422,
            "/published",
            "must be text of up to 50 characters or null, not a whole number",
        ),
        ({**DUNE, "published": "1965\n"}, 422, "/published", "has no control characters"),
        ({**DUNE, "isbn": "12"}, 422, "/isbn", "is 10 or 13 digits, maybe with hyphens"),
        ({**DUNE, "isbn": "0441013597\n"}, 422, "/isbn", "is 10 or 13 digits, maybe with hyphens"),
        ({**DUNE, "pages": 0}, 422, "/pages", "must be a whole number from 1 to 100000 or null"),
        ({**DUNE, "pages": 1.5}, 422, "/pages", "must be a whole number from 1 to 100000 or null"),
        ({**DUNE, "pages": "412"}, 422, "/pages", "must be a whole number from 1 to 100000 or null"),
        ({**DUNE, "pages": True}, 422, "/pages", "must be a whole number from 1 to 100000 or null"),
        ({**DUNE, "pages": 10**30}, 422, "/pages", "must be a whole number from 1 to 100000 or null"),
        ({**DUNE, "tags": "sf"}, 422, "/tags", "must be a list of up to 200 items, not text"),
        ({**DUNE, "tags": ["sf", ""]}, 422, "/tags/1", "must not be blank"),
        ({**DUNE, "tags": ["x"] * 201}, 422, "/tags", "must be a list of up to 200 items"),
        ({**DUNE, "notes": "a\x00b"}, 422, "/notes", "has no control characters"),
        ({**DUNE, "isnb": "0441013597"}, 422, "/isnb", "is not known here; did you mean isbn?"),
        ([DUNE], 422, "", "must be an object, not a list"),
        ("Dune", 422, "", "must be an object, not text"),
    ],
)
async def test_a_wrong_field_is_named_with_its_correction(
    shelf: Shelf,
    body: Any,  # noqa: ANN401 (any JSON)
    status: int,
    pointer: str,
    detail: str,
) -> None:
    problem = await problem_of(shelf, "POST", "/books", body)
    assert problem["status"] == status
    [fault] = problem["errors"]
    assert fault.get("pointer", "") == pointer
    assert fault["detail"].startswith(detail)
    assert problem["detail"].endswith(fault["detail"])


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b"title=Dune",
        b"\x00",
        b"\xff\xfe{}",
        b'{"title": "\xff"}',
        SURROGATE,
        b'{"title": NaN}',
        b'{"notes": ' + b"[" * 100_000,
        b'{"notes":' * 50_000,
        b"{}{}",
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_a_body_that_is_not_json_is_reported(shelf: Shelf, body: bytes) -> None:
    # finishing takes the whole book of an old client, and so any value beside its own
    problem = await problem_of(shelf, "POST", "/books/1/finished", body)
    assert (problem["status"], problem["type"]) == (400, "urn:bookshelf:problem:malformed")


async def test_a_missing_body_is_reported(shelf: Shelf) -> None:
    assert (await problem_of(shelf, "POST", "/books"))["status"] == 400


async def test_nesting_at_the_limit_of_depth_is_not_a_defect(shelf: Shelf) -> None:
    book = await shelf.add()
    for depth in range(100, 1100, 37):
        body = b'{"tags": ' + b"[" * depth + b"]" * depth + b"}"
        for key in ({}, {"Idempotency_Key": f"depth-{depth}"}):
            answer = await shelf.send("POST", f"/books/{book['id']}/finished", body, **key)
            assert answer.status in {204, 400, 422}, answer.body


@pytest.mark.parametrize("size", [2**20 + 1, 3 * 2**20])
async def test_a_body_over_a_mebibyte_is_too_large(shelf: Shelf, size: int) -> None:
    problem = await problem_of(shelf, "POST", "/books", b" " * size)
    assert (problem["status"], problem["type"]) == (413, "urn:bookshelf:problem:too-large")
    assert "1048576 bytes" in problem["detail"]


async def test_a_body_of_a_mebibyte_is_read(shelf: Shelf) -> None:
    body = b'{"title": "Dune", "author": "Frank Herbert"}'.ljust(2**20)
    assert (await shelf.send("POST", "/books", body)).status == 201


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "\udcff"]
)
async def test_another_media_type_is_refused(shelf: Shelf, kind: str) -> None:
    problem = await problem_of(shelf, "POST", "/books", DUNE, Content_Type=kind)
    assert problem["status"] == 415
    assert "application/json" in problem["detail"]


async def test_a_compressed_body_is_refused(shelf: Shelf) -> None:
    assert (await problem_of(shelf, "POST", "/books", DUNE, Content_Encoding="gzip"))["status"] == 415


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
async def test_any_spelling_of_the_json_media_type_is_accepted(shelf: Shelf, kind: str) -> None:
    assert (await shelf.send("POST", "/books", DUNE, Content_Type=kind)).status == 201


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("PUT", "/books", "POST"),
        ("GET", "/books/1/finished", "POST"),
        ("POST", "/books/1", "DELETE, PATCH"),
        ("BREW", "/books", "POST"),
    ],
)
async def test_an_unknown_method_gets_allow(shelf: Shelf, method: str, target: str, allow: str) -> None:
    answer = await shelf.send(method, target)
    assert (answer.status, answer.headers["Allow"]) == (405, allow)


@pytest.mark.parametrize(
    "path", ["", "/", "/book", "/books/", "/books//finished", "/books/1/2/3", "/" * 3000, "*"]
)
async def test_an_unknown_path_is_reported(shelf: Shelf, path: str) -> None:
    problem = await problem_of(shelf, "POST", path)
    assert (problem["status"], problem["type"]) == (404, "urn:bookshelf:problem:no-route")


@pytest.mark.parametrize("path", ["/books/%ff", "/books/%ED%A0%80", "/books/\udcff"])
async def test_a_path_that_is_not_utf8_is_reported(shelf: Shelf, path: str) -> None:
    for method in ("GET", "DELETE"):
        assert (await problem_of(shelf, method, path))["status"] == 400


@pytest.mark.parametrize(
    "path", ["/books/%zz", "/books/%", "/books/%00", "/books/%2e%2e", "/books/" + "x" * 2000]
)
async def test_an_unknown_id_is_not_found(shelf: Shelf, path: str) -> None:
    for method in ("GET", "DELETE"):
        assert (await problem_of(shelf, method, path))["status"] == 404


@pytest.mark.parametrize(
    ("query", "status", "parameter", "detail"),
    [
        ("limit=0", 422, "limit", "must be a whole number from 1 to 1000"),
        ("limit=1001", 422, "limit", "must be a whole number from 1 to 1000"),
        ("limit=many", 422, "limit", "must be a whole number from 1 to 1000"),
        ("limit=" + "9" * 5000, 422, "limit", "must be a whole number from 1 to 1000"),
        ("limit=1&limit=2", 422, "limit", "is given twice; give it once"),
        ("state=lost", 422, "state", "must be one of abandoned, finished, paused"),
        ("sort=colour", 422, "sort", "must be one of -added, "),
        ("colour=blue", 422, "colour", "is not known here; leave it out"),
        ("q=" + "x" * 201, 422, "q", "must be text of up to 200 characters"),
    ],
)
async def test_a_wrong_parameter_is_named_with_its_correction(
    shelf: Shelf, query: str, status: int, parameter: str, detail: str
) -> None:
    problem = await problem_of(shelf, "GET", f"/books?{query}")
    [fault] = problem["errors"]
    assert (problem["status"], fault["parameter"]) == (status, parameter)
    assert fault["detail"].startswith(detail)


class Reminder(msgspec.Struct):
    when: datetime


class Remind(Command, frozen=True):
    TYPE: ClassVar[str] = "test.remind-of-book.v1"
    when: datetime


REMINDING = CommandRoute(
    method="POST",
    path="/reminders",
    summary="Remind of a book",
    aggregate=BOOK,
    body=Reminder,
    command=lambda body, _: Remind(when=body.when),
    creates=True,
)


async def test_a_time_in_a_body_is_converted_to_utc() -> None:
    asked = Asked(REMINDING)
    await asked.send(b'{"when": "2026-03-01T14:00:00+02:00"}')
    [sent] = asked.commands
    assert isinstance(sent.command, Remind)
    assert str(sent.command.when) == "2026-03-01 12:00:00+00:00"
