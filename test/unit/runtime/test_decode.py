"""What is wrong with a value is said with its place and its remedy."""

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from bookshelf.runtime.edge.decode import Reader
from bookshelf.runtime.http.problem import Problem

Name = Annotated[str, Meta(pattern="^[a-z]+$", extra={"mend": "is small letters"})]


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    pattern: Annotated[str, Meta(pattern="^x$")] = "x"


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    inner: list[Inner] = []
    maybe: Name | None = None
    kind: Literal["a", "b"] = "a"
    count: Annotated[int, Meta(ge=1)] = 1
    loop: "Outer | None" = None


READER = Reader(Outer)


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
        (b'{"maybe":1}', "/maybe", "must be str | null, got int", ""),
        (b'{"kind":"c"}', "/kind", "Invalid enum value 'c'", ""),
        (b'{"count":0}', "/count", "must be int >= 1", "count must be int >= 1"),
        (
            b'{"colour":1}',
            "/colour",
            "is not known here; leave it out",
            "colour is not known here; leave it out",
        ),
        (b"[]", "", "must be object, got array", "the body must be object, got array"),
    ],
)
def test_a_field_is_named_with_what_to_mend(body: bytes, pointer: str, detail: str, whole: str) -> None:
    with pytest.raises(Problem) as problem:
        READER.body(body)
    [fault] = problem.value.faults
    assert (problem.value.kind, fault.detail) == ("invalid", detail)
    assert fault.pointer == pointer
    assert not whole or problem.value.detail == whole


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"maybe":"\xff"}', b'{"maybe":"\\ud800"}', b'{"loop":' * 9999]
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Problem) as problem:
        READER.body(body)
    assert (problem.value.kind, problem.value.faults) == ("malformed", ())


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    limit: Annotated[int, Meta(ge=1, le=10)] = 5
    q: str | None = None


ASKED = Reader(Asked)


def test_parameters_come_from_the_path_and_the_query() -> None:
    assert ASKED.parameters({"id": "1"}, "limit=3&q=%C3%A4+b") == Asked("1", 3, "ä b")
    assert ASKED.parameters({"id": "1"}, "") == Asked("1")
    assert ASKED.parameters({"id": "1"}, "q=") == Asked("1", q="")


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ("limit=0", "limit", "must be int >= 1"),
        ("limit=x", "limit", "must be int, got str"),
        ("limit=1.5", "limit", "must be int"),
        ("colour=1", "colour", "is not known here; leave it out"),
        ("q=1&q=2", "q", "is given twice; give it once"),
    ],
)
def test_a_parameter_is_named_with_what_to_mend(query: str, parameter: str, detail: str) -> None:
    with pytest.raises(Problem) as problem:
        ASKED.parameters({"id": "1"}, query)
    [fault] = problem.value.faults
    assert (problem.value.kind, fault.parameter) == ("invalid", parameter)
    assert fault.detail.startswith(detail)


@pytest.mark.parametrize("query", ["q=%ff", "q", "&", "&".join(f"a{n}=" for n in range(33))])
def test_a_query_that_is_none_is_malformed(query: str) -> None:
    with pytest.raises(Problem) as problem:
        ASKED.parameters({"id": "1"}, query)
    assert problem.value.kind == "malformed"


def test_the_path_cannot_be_said_again_in_the_query() -> None:
    assert ASKED.parameters({"id": "1"}, "id=2").id == "1"
