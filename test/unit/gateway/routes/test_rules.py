"""The operator's rules: what they close, and what is wrong with them."""

import pytest

from gateway.routing.rules import BadRules, Rules, loads, parse


def forbids(rule: dict[str, object], request: str) -> bool:
    return parse({"forbid": [rule]}).forbids(*request.split(" "))


@pytest.mark.parametrize(
    ("path", "request_", "expected"),
    [
        ("/books", "GET /books", True),
        ("/books", "GET /books/7", False),
        ("/books/{id}", "GET /books/7", True),
        ("/books/{id}", "GET /books/{id}", True),
        ("/books/{id}", "GET /books/", False),
        ("/books/*", "GET /books/7/finished", True),
        ("/books/*", "GET /books", True),
        ("/books/*", "GET /bookshelf", False),
        ("/admin/*", "GET /%61dmin/x", True),
        ("/admin/*", "GET /ad%6Din", True),
    ],
)
def test_what_is_closed_is_closed_however_it_is_written(path: str, request_: str, expected: bool) -> None:  # noqa: FBT001 (a table's column)
    assert forbids({"path": path}, request_) is expected


@pytest.mark.parametrize(
    ("method", "expected"), [("DELETE", True), ("GET", True), ("HEAD", True), ("POST", False)]
)
def test_some_methods_are_closed_and_head_with_get(method: str, expected: bool) -> None:  # noqa: FBT001 (as above)
    assert forbids({"path": "/x", "methods": ["GET", "DELETE"]}, f"{method} /x") is expected


def test_by_default_everyone_may_claim_everything_and_nothing_is_closed() -> None:
    assert Rules().allows("anyone", "/books")
    assert not Rules().forbids("GET", "/books")


@pytest.mark.parametrize(
    ("service", "path", "expected"),
    [
        ("a", "/a", True),
        ("a", "/a/b", True),
        ("a", "/ab", False),
        ("a", "/x", False),
        ("b", "/x/y", True),
        ("b", "/a", False),
    ],
)
def test_a_service_of_its_own_line_has_no_more_than_that(service: str, path: str, expected: bool) -> None:  # noqa: FBT001 (as above)
    assert parse({"allow": {"a": ["/a"], "*": ["/x"]}}).allows(service, path) is expected


@pytest.mark.parametrize(
    "given",
    [
        {"add": [{"path": "/x"}]},
        {"add": [{"path": "x", "tags": ["t"]}]},
        {"add": [{"path": "/x", "tags": []}]},
        {"add": [{"path": "/x", "tags": ["t"], "methods": ["get"]}]},
        {"add": [{"path": "/x", "tags": ["t"], "deadline_s": 0}]},
        {"add": {"path": "/x"}},
        {"forbid": [{"path": "x"}]},
        {"forbid": [{"path": "/x", "method": "GET"}]},
        {"allow": {"a": "/x"}},
        {"allow": {"a": ["x"]}},
    ],
)
def test_what_cannot_be_is_said(given: dict[str, object]) -> None:
    with pytest.raises(BadRules):
        parse(given)


def test_what_is_no_toml_is_said() -> None:
    with pytest.raises(BadRules, match="no TOML"):
        loads("[[add]")
