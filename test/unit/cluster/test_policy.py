"""The policy of a service: what it sets for a route, and what is refused with which place and name."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.cluster.policy import RoutePolicy, ServicePolicy, check_policy, read_policy
from bookshelf.cqrs.item import ItemProblem

ROUTES = {"newbook": ("POST /books", "DELETE /books/{id}"), "readbook": None}
FILE = "policies/newbook.toml"


def test_a_route_has_its_own_fields_and_the_others_of_the_service() -> None:
    text = """
deadline_s = 3
state = "read-only"
message = "The shelf is being counted."
[route."POST /books"]
rate = "10/minute"
state = "open"
"""
    assert check_policy("newbook", text, ROUTES) == ()
    policy = read_policy(text)
    assert policy.of("POST /books") == RoutePolicy(
        deadline_s=3, rate="10/minute", state="open", message="The shelf is being counted."
    )
    assert policy.of("DELETE /books/{id}").state == "read-only"
    assert policy.of("POST /books").per_second == (10, 60.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("deadline = 3\n", ItemProblem(FILE, "does not exist", "deadline", 1, 1, "deadline_s")),
        ("\n rate = 5\n", ItemProblem(FILE, "must be a text, got an integer", "rate", 2, 2)),
        (
            '[route."POST /book"]\nrate = "1/second"\n',
            ItemProblem(FILE, "is no route of the service", "route.POST /book", 1, 1, "POST /books"),
        ),
        (
            '[route."POST /books"]\nlog_level = "info"\n',
            ItemProblem(FILE, "does not exist", "route.POST /books.log_level", 2, 1),
        ),
        ("route = 5", ItemProblem(FILE, 'must be tables like [route."GET /books"]', "route", 1, 1)),
        (
            '[route]\n"POST /books" = 5',
            ItemProblem(FILE, 'must be a table: [route."POST /books"]', "route.POST /books", 2, 1),
        ),
        ("state = [", ItemProblem(FILE, "is no TOML: Invalid value", "", 1, 10)),
    ],
)
def test_a_wrong_policy_is_refused_with_its_place(text: str, problem: ItemProblem) -> None:
    assert check_policy("newbook", text, ROUTES) == (problem,)


@pytest.mark.parametrize(
    "text",
    [
        'rate = "0/second"',
        'rate = "5/second\\n"',
        'rate = "5/fortnight"',
        'state = "shut"',
        "retry_after_s = 0",
        "body_bytes = -1",
        "deadline_s = 0",
        "deadline_s = nan",
        "deadline_s = inf",
        'requires = ["Books"]',
        'message = "two\\nlines"',
        'message = "\\u202e"',
    ],
)
def test_a_value_out_of_range_is_refused(text: str) -> None:
    assert check_policy("newbook", text, ROUTES)


def test_a_policy_for_a_missing_service_is_refused_with_the_nearest_name() -> None:
    (problem,) = check_policy("newbok", "", ROUTES)
    assert (problem.detail, problem.near) == ("there is no service newbok", "newbook")


def test_routes_of_a_service_that_does_not_run_here_are_checked_by_their_form_alone() -> None:
    assert check_policy("readbook", '[route."POST /anything"]\ncache_s = 5', ROUTES) == ()
    assert check_policy("readbook", '[route."anything"]\ncache_s = 5', ROUTES)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([*ServicePolicy.__struct_fields__, "x", 'a"b.c']), _VALUES, max_size=6),
    st.text(max_size=200),
)
def test_whatever_is_not_refused_can_be_read(values: dict[str, object], text: str) -> None:
    written = "\n".join(f"{msgspec.json.encode(k).decode()} = {_toml(v)}" for k, v in values.items())
    for content in (written, text):
        if not check_policy("newbook", content, ROUTES):
            assert isinstance(read_policy(content), ServicePolicy)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        fields = (f"{msgspec.json.encode(k).decode()} = {_toml(v)}" for k, v in value.items())
        return "{" + ", ".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return msgspec.json.encode(value).decode()
