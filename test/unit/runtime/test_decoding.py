"""A fault of a value is reported with its place and its correction."""

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from bookshelf.cqrs.route import Owned
from bookshelf.http.problem import Problem
from bookshelf.runtime.decoding import Decoder

Name = Annotated[str, Meta(pattern="^[a-z]+$", extra={"hint": "is small letters"})]


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    pattern: Annotated[str, Meta(pattern="^x$")] = "x"


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    inner: list[Inner] = []
    maybe: Name | None = None
    kind: Literal["a", "b"] = "a"
    count: Annotated[int, Meta(ge=1)] = 1
    loop: "Outer | None" = None
    names: dict[Name, Inner | None] = {}
    stars: Annotated[float, Meta(ge=0.25, le=5, multiple_of=0.25)] = 1.0


READER = Decoder(Outer)


@pytest.mark.parametrize(
    ("body", "pointer", "detail", "whole"),
    [
        (b'{"inner":[{}]}', "/inner/0/name", "is required", "inner.0.name is required"),
        (b'{"inner":[{"name":"a"},{"name":"A"}]}', "/inner/1/name", "is small letters", ""),
        (
            b'{"inner":[{"name":"a","pattern":"y"}]}',
            "/inner/0/pattern",
            "has not the form that is asked for",
            "",
        ),
        (b'{"maybe":"A"}', "/maybe", "is small letters", "maybe is small letters"),
        (b'{"loop":{"maybe":"A"}}', "/loop/maybe", "is small letters", "loop.maybe is small letters"),
        (b'{"maybe":1}', "/maybe", "must be text or null, not a whole number", ""),
        (b'{"kind":"c"}', "/kind", "must be one of a, b", ""),
        (
            b'{"count":0}',
            "/count",
            "must be a whole number of at least 1",
            "count must be a whole number of at least 1",
        ),
        (
            b'{"colour":1}',
            "/colour",
            "is not known here; leave it out",
            "colour is not known here; leave it out",
        ),
        (
            b'{"names":{"a":{"name":"A"}}}',
            "/names/a/name",
            "is small letters",
            "names.a.name is small letters",
        ),
        (b'{"names":{"A":{"name":"a"}}}', "/names/A", "is small letters", ""),
        (b'{"names":{"a":1}}', "/names/a", "must be an object or null, not a whole number", ""),
        (b'{"stars":4.3}', "/stars", "must be a number from 0.25 to 5 in steps of 0.25", ""),
        (b"[]", "", "must be an object, not a list", "the body must be an object, not a list"),
    ],
)
def test_a_wrong_field_is_named_with_its_correction(
    body: bytes, pointer: str, detail: str, whole: str
) -> None:
    with pytest.raises(Problem) as problem:
        READER.body(body)
    [fault] = problem.value.faults
    assert (problem.value.kind, fault.detail) == ("invalid", detail)
    assert fault.pointer == pointer
    assert not whole or problem.value.detail == whole


def test_all_wrong_fields_are_reported_with_their_allowed_values() -> None:
    body = (
        b'{"inner":[{"name":"A","patern":"x"},{"pattern":"y"},3],'
        b'"kind":"c","count":0,"loop":{"maybe":7},"xyz":1}'
    )
    with pytest.raises(Problem) as problem:
        READER.body(body)
    assert [(fault.pointer, fault.detail) for fault in problem.value.faults] == [
        ("/inner/0/name", "is small letters"),
        ("/inner/0/patern", "is not known here; did you mean pattern?"),
        ("/inner/1/name", "is required"),
        ("/inner/1/pattern", "has not the form that is asked for"),
        ("/inner/2", "must be an object, not a whole number"),
        ("/kind", "must be one of a, b"),
        ("/count", "must be a whole number of at least 1"),
        ("/loop/maybe", "must be text or null, not a whole number"),
        ("/xyz", "is not known here; leave it out"),
    ]
    assert problem.value.detail.endswith("inner.2 must be an object, not a whole number; 4 more in `errors`")


def test_the_number_of_reported_faults_is_bounded() -> None:
    with pytest.raises(Problem) as problem:
        READER.body(b'{"inner":[%s]}' % b",".join([b"1"] * 10_000))
    assert len(problem.value.faults) == 50


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    name: Name | msgspec.UnsetType | None = msgspec.UNSET
    tags: Annotated[tuple[Name, ...], Meta(max_length=2)] | msgspec.UnsetType | None = msgspec.UNSET
    raw: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (b'{"name":"A","tags":["b","B"]}', [("/name", "is small letters"), ("/tags/1", "is small letters")]),
        (b'{"tags":["a","b","c"],"raw":{}}', [("/tags", "must be a list of up to 2 items or null")]),
        (b'{"tags":3}', [("/tags", "must be a list of up to 2 items or null, not a whole number")]),
    ],
)
def test_each_field_of_a_change_is_checked(body: bytes, faults: list[tuple[str, str]]) -> None:
    with pytest.raises(Problem) as problem:
        Decoder(Changes).body(body)
    assert [(fault.pointer, fault.detail) for fault in problem.value.faults] == faults


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"maybe":"\xff"}',
        b'{"maybe":"\\ud800"}',
        b'{"loop":' * 9999,
        b'{"xyz":' * 9999,
        b'{"xyz":1,"id":' + b"[" * 9999,
    ],
)
def test_invalid_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Problem) as problem:
        READER.body(body)
    assert (problem.value.kind, problem.value.faults) == ("malformed", ())


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    limit: Annotated[int, Meta(ge=1, le=10)] = 5
    q: str | None = None


ASKED = Decoder(Asked)


def test_parameters_are_read_from_the_path_and_the_query() -> None:
    assert ASKED.parameters({"id": "1"}, "limit=3&q=%C3%A4+b") == Asked("1", 3, "ä b")
    assert ASKED.parameters({"id": "1"}, "") == Asked("1")
    assert ASKED.parameters({"id": "1"}, "q=") == Asked("1", q="")


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ("limit=0", "limit", "must be a whole number from 1 to 10"),
        ("limit=x", "limit", "must be a whole number from 1 to 10"),
        ("limit=1.5", "limit", "must be a whole number from 1 to 10"),
        ("colour=1", "colour", "is not known here; leave it out"),
        ("q=1&q=2", "q", "is given twice; give it once"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_correction(query: str, parameter: str, detail: str) -> None:
    with pytest.raises(Problem) as problem:
        ASKED.parameters({"id": "1"}, query)
    [fault] = problem.value.faults
    assert (problem.value.kind, fault.parameter) == ("invalid", parameter)
    assert fault.detail.startswith(detail)


def test_every_wrong_parameter_is_reported_at_once() -> None:
    with pytest.raises(Problem) as problem:
        ASKED.parameters({"id": "1"}, "limit=99&limt=3&q=1&q=2")
    assert [(fault.parameter, fault.detail) for fault in problem.value.faults] == [
        ("q", "is given twice; give it once"),
        ("limit", "must be a whole number from 1 to 10"),
        ("limt", "is not known here; did you mean limit?"),
    ]


@pytest.mark.parametrize("query", ["q=%ff", "q", "&", "&".join(f"a{n}=" for n in range(33))])
def test_an_invalid_query_is_malformed(query: str) -> None:
    with pytest.raises(Problem) as problem:
        ASKED.parameters({"id": "1"}, query)
    assert problem.value.kind == "malformed"


def test_a_path_parameter_in_the_query_is_refused() -> None:
    assert ASKED.parameters({"id": "1"}, "id=2").id == "1"


class Filters(Owned):
    state: tuple[Literal["unread", "finished"], ...] = ()
    tag: Annotated[tuple[Name, ...], Meta(max_length=2)] = ()


def test_a_parameter_of_a_tuple_type_takes_every_value_of_a_repeated_parameter() -> None:
    read = Decoder(Filters).parameters({}, "state=finished&tag=a&state=unread")
    assert read == Filters(state=("finished", "unread"), tag=("a",))


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ("state=unread&state=lost", "state", "must be one of finished, unread"),
        ("tag=a&tag=b&tag=c", "tag", "must be a list of up to 2 items"),
        ("tag=a&tag=B", "tag", "is small letters"),
        ("owner=ann", "owner", "is not known here; leave it out"),
    ],
)
def test_a_wrong_value_of_a_repeated_parameter_or_a_hidden_parameter_is_named(
    query: str, parameter: str, detail: str
) -> None:
    with pytest.raises(Problem) as problem:
        Decoder(Filters).parameters({}, query)
    [fault] = problem.value.faults
    assert (fault.parameter, fault.detail) == (parameter, detail)
    assert problem.value.detail == f"{parameter} {detail}"
