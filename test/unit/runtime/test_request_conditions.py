"""The conditions in headers, and values that are refused."""

import pytest
from multidict import CIMultiDict

from bookshelf.cqrs.position import Position
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.header_fields import after, expects, key, trace, unchanged


def headers(**named: str) -> CIMultiDict[str]:
    return CIMultiDict({name.replace("_", "-"): value for name, value in named.items()})


@pytest.mark.parametrize("given", ["key", '"key"'])
def test_a_key_is_the_same_with_and_without_quotes(given: str) -> None:
    assert key(headers(Idempotency_Key=given)) == "key"


@pytest.mark.parametrize("given", ["a", "a b", "x" * 255, "8e03978e-40d5-43dd-bc93-6894a57f9324"])
def test_a_key_is_any_printable_ascii(given: str) -> None:
    assert key(headers(idempotency_key=given)) == given


@pytest.mark.parametrize(
    "given", ["", " ", '""', '"', 'a"b', "x" * 256, "é", "a\x00", "a\nb", " a", "\udcff"]
)
def test_an_invalid_key_is_malformed(given: str) -> None:
    with pytest.raises(Problem) as problem:
        key(headers(Idempotency_Key=given))
    assert problem.value.faults[0].header == "Idempotency-Key"


def test_without_headers_there_are_no_conditions() -> None:
    none = headers()
    assert (key(none), after(none), expects(none), trace(none)) == (None, [], None, "")
    assert not unchanged(none, '"1"')


@pytest.mark.parametrize("given", ["a/0@1,b/2@3", " a/0@1 ,  b/2@3 "])
def test_several_positions_are_separated_by_commas(given: str) -> None:
    assert after(headers(Bookshelf_After=given)) == [Position("a", 0, 1), Position("b", 2, 3)]


@pytest.mark.parametrize(
    ("given", "versions"),
    [
        ('"5"', {5}),
        ('"5", "7"', {5, 7}),
        ('"5.2026-000001", "7."', {5}),
        ('W/"5", "7"', {7}),
        ('W/"5"', set()),
        ("5", set()),
        ('"five"', set()),
        ('"-1"', set()),
        ('"\u0665"', set()),
        ('"' + "9" * 5000 + '"', set()),
        ("", set()),
    ],
)
def test_if_match_names_the_versions_that_it_allows(given: str, versions: set[int]) -> None:
    assert expects(headers(If_Match=given)) == frozenset(versions)


@pytest.mark.parametrize("given", ["*", " * "])
def test_if_match_of_a_star_allows_any_version(given: str) -> None:
    assert expects(headers(If_Match=given)) is None


@pytest.mark.parametrize(("given", "same"), [('"1"', True), ('W/"1"', True), ('"0", "1"', True), ("*", True)])
def test_if_none_match_compares_weakly(given: str, same: bool) -> None:  # noqa: FBT001 (a column of the table)
    assert unchanged(headers(If_None_Match=given), '"1"') is same


@pytest.mark.parametrize("given", ['"2"', "1", "", '"11"'])
def test_if_none_match_of_another_tag_does_not_match(given: str) -> None:
    assert not unchanged(headers(If_None_Match=given), '"1"')


@pytest.mark.parametrize(
    "given", ["", "x", "00-" + "0" * 60, "\udcff", "00-" + "A" * 32 + "-" + "b" * 16 + "-01"]
)
def test_an_invalid_trace_is_left_out(given: str) -> None:
    assert trace(headers(traceparent=given)) == ""


def test_a_valid_trace_is_kept() -> None:
    given = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    assert trace(headers(traceparent=given)) == given
