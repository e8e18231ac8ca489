"""Every request belongs to a trace: the client's, or a new one."""

import re

import pytest

from bookshelf.http.message import request
from gateway.ingress.middleware import Traces

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def test_a_valid_traceparent_is_continued() -> None:
    asked = request("GET", "/", b"", traceparent=GIVEN, tracestate="a=1")
    assert Traces().begin(asked) == "0af7651916cd43dd8448eb211c80319c"
    assert (asked.headers["traceparent"], asked.headers["tracestate"]) == (GIVEN, "a=1")


INVALID = [
    None,
    "",
    "nonsense",
    GIVEN.upper(),
    GIVEN + "-more",
    "ff" + GIVEN[2:],
    f"00-{'0' * 32}-b7ad6b7169203331-01",
    f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
]


@pytest.mark.parametrize("given", INVALID)
def test_without_a_valid_traceparent_a_new_trace_begins(given: str | None) -> None:
    asked = request("GET", "/", b"", tracestate="a=1", **({} if given is None else {"traceparent": given}))
    made = Traces().begin(asked)
    [found] = asked.headers.getall("traceparent")
    assert re.fullmatch(rf"00-{made}-[0-9a-f]{{16}}-01", found)
    assert "tracestate" not in asked.headers


def test_each_request_without_one_begins_a_trace_of_its_own() -> None:
    traces = Traces()
    assert len({traces.begin(request("GET", "/")) for _ in range(600)}) == 600
