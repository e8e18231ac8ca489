"""Settings and rules of a domain: what is refused, where, and with the nearest name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.cluster.items import check_digest, check_gateway, check_settings, read_settings
from bookshelf.cluster.toml_text import position_of
from bookshelf.config import RELOADABLE, SECRETS
from bookshelf.cqrs.item import CONTENT_BYTES, ItemChange, ItemProblem, digest_of
from gateway.options import check_rules
from gateway.routing.rules import parse


def test_reloadable_settings_are_accepted_and_read() -> None:
    text = 'log_level = "debug"\ngateway_deadline_s = 5\ngateway_compress = false\n'
    assert check_settings(text) == ()
    assert read_settings(text) == {
        "log_level": "debug",
        "gateway_deadline_s": 5.0,
        "gateway_compress": False,
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'gateway_rates = "1/second"\n',
            ItemProblem("config.toml", "is no setting", "gateway_rates", 1, 1, "gateway_rate"),
        ),
        (
            '\n  storage = "postgresql://me:hidden@there/db"\n',
            ItemProblem("config.toml", "is a secret; it is set on each node", "storage", 2, 3),
        ),
        (
            "port = 9000\n",
            ItemProblem(
                "config.toml",
                "is read once, at the start of a node, and cannot be changed by a rollout",
                "port",
                *(1, 1),
            ),
        ),
        (
            '# limits\ngateway_requests = "many"\n',
            ItemProblem("config.toml", "must be an integer, got a text", "gateway_requests", 2, 1),
        ),
        (
            "gateway_requests = 0\n",
            ItemProblem("config.toml", "must be an integer >= 1", "gateway_requests", 1, 1),
        ),
        (
            "gateway_requests = 5\ngateway_queue 7\n",
            ItemProblem(
                "config.toml", "is no TOML: Expected '=' after a key in a key/value pair", "", *(2, 15)
            ),
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_its_place(text: str, problem: ItemProblem) -> None:
    assert check_settings(text) == (problem,)


def test_no_refusal_repeats_a_value_that_may_be_secret() -> None:
    (problem,) = check_settings('storage = "postgresql://me:hidden@there/db"\n')
    assert "hidden" not in str(problem)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_no_secret_is_reloadable(name: str) -> None:
    assert name not in RELOADABLE
    assert "secret" in check_settings(f'{name} = "x"')[0].detail


def test_every_wrong_setting_is_named() -> None:
    found = check_settings("gateway_queue = -1\nx = 1\ngateway_hedge_s = 61\n")
    assert [problem.field for problem in found] == ["gateway_queue", "x", "gateway_hedge_s"]


def test_too_much_content_is_refused() -> None:
    (problem,) = check_settings("#" * (CONTENT_BYTES + 1))
    assert problem.detail == f"has more than {CONTENT_BYTES} bytes"


def test_the_rules_are_checked_by_the_gateway_s_own_reader() -> None:
    assert check_gateway('[[forbid]]\npath = "/books/*"\n', parse) == ()
    (problem,) = check_gateway('[allow]\n"*" = ["/"]\n[[forbid]]\npath = "books"\n', parse)
    assert problem.field == "forbid.0"
    assert "'books'" in problem.detail


def test_content_with_another_digest_is_refused() -> None:
    content = 'log_level = "info"\n'
    change = ItemChange("settings", "", "put", digest_of(content.encode()), content)
    assert check_digest(change, "config.toml") == ()
    changed = ItemChange("settings", "", "put", change.digest, content + "\n")
    assert check_digest(changed, "config.toml")


def test_a_field_in_a_text_of_several_lines_is_not_taken_for_one() -> None:
    text = 'message = """\nrate = 5\n"""\nrate = "x"\n'
    assert position_of(text, ("rate",)) == (4, 1)


@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        ('[route."GET /a=b"]\nrate = "x"', ("route", "GET /a=b", "rate"), (2, 1)),
        ('route."GET /a=b".rate = "x"', ("route", "GET /a=b", "rate"), (1, 1)),
        ('[route]\n"GET /a" = { rate = "x" }', ("route", "GET /a", "rate"), (2, 1)),
        ("a = 1", ("b",), (0, 0)),
    ],
)
def test_a_field_is_found_however_it_is_written(
    text: str, path: tuple[str, ...], place: tuple[int, int]
) -> None:
    assert position_of(text, path) == place


@given(st.text(max_size=300))
def test_any_text_is_answered_and_never_fails(text: str) -> None:
    for problem in (*check_settings(text), *check_gateway(text, parse)):
        assert str(problem)
        assert problem.line >= 0


def test_deep_nesting_is_refused() -> None:
    assert check_settings("a = " + "[" * 5000 + "]" * 5000)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[forbd]]\npath = "/x"\n', "gateway.toml:1:1: forbd.0 there is no table 'forbd', only "),
        ('[[forbid]]\npath = "/x"\n\n[[forbid]]\npth = 3\n', "gateway.toml:5:1: forbid.1.pth does not exist"),
        (
            '[[forbid]]\npath = "/x"\n[[forbid]]\n  path = 3\n',
            "gateway.toml:4:3: forbid.1.path must be ",
        ),
        ("[limits]\nrequests = 0\n", "gateway.toml:2:1: limits.requests must be an integer >= 1"),
        ("[[primary]]\ngroup = 5\n", "gateway.toml:2:1: primary.0.group must be a text, got an integer"),
        ('[limits]\nrate = "often"\n', "gateway.toml:1:1: limits "),
    ],
)
def test_a_problem_of_rules_has_its_place_and_what_is_allowed(text: str, problem: str) -> None:
    [found] = check_gateway(text, check_rules)
    assert str(found).startswith(problem)
