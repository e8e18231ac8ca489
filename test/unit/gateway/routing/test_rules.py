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
def test_a_forbidden_path_is_closed_in_every_spelling(path: str, request_: str, expected: bool) -> None:  # noqa: FBT001 (a table's column)
    assert forbids({"path": path}, request_) is expected


@pytest.mark.parametrize(
    ("method", "expected"), [("DELETE", True), ("GET", True), ("HEAD", True), ("POST", False)]
)
def test_forbidding_get_forbids_head(method: str, expected: bool) -> None:  # noqa: FBT001 (as above)
    assert forbids({"path": "/x", "methods": ["GET", "DELETE"]}, f"{method} /x") is expected


def test_by_default_all_routes_are_allowed_and_none_is_forbidden() -> None:
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
def test_a_service_with_its_own_line_has_only_those_prefixes(service: str, path: str, expected: bool) -> None:  # noqa: FBT001 (as above)
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
def test_invalid_rules_are_reported(given: dict[str, object]) -> None:
    with pytest.raises(BadRules):
        parse(given)


def test_invalid_toml_is_reported() -> None:
    with pytest.raises(BadRules, match="no TOML"):
        loads("[[add]")
