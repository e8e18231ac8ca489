"""An answer's body: its pieces come in time, and its instance is busy as long as they come."""

from collections.abc import AsyncIterator

import pytest
from support.endpoints import TOUCHY, endpoint
from support.upstream import never, pieces

from bookshelf.http.message import BrokenBody
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pools
from gateway.upstream.proxy import Attempt, StreamedBody


def arriving(
    body: AsyncIterator[bytes], patience_s: float, one: UpstreamEndpoint | None = None
) -> StreamedBody:
    pool = Pools(TOUCHY).of(("t",))
    return StreamedBody(body, patience_s, Attempt(one or endpoint("a"), pool, 0.0), lambda: 0.0)


async def test_a_response_whose_next_chunk_is_late_is_aborted() -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"first"
        await never()

    body = arriving(stuck(), 0.01)
    assert await anext(body) == b"first"
    with pytest.raises(BrokenBody, match=r"nothing more of the answer came for 0\.01 s"):
        await anext(body)


async def test_a_response_that_arrives_in_time_is_complete() -> None:
    assert [piece async for piece in arriving(pieces(b"a", b"b"), 5)] == [b"a", b"b"]


async def test_closing_a_response_closes_its_source() -> None:
    source = pieces(b"a", b"b")
    body = arriving(source, 5)
    assert await anext(body) == b"a"
    await body.aclose()
    assert [piece async for piece in source] == []


async def test_an_upstream_endpoint_is_outstanding_until_its_response_ends() -> None:
    one = endpoint("a")
    body = arriving(pieces(b"a", b"b"), 5, one)
    assert await anext(body) == b"a"
    assert one.outstanding == 1
    assert [piece async for piece in body] == [b"b"]
    assert one.outstanding == 0


async def test_an_upstream_endpoint_is_outstanding_until_its_response_is_closed() -> None:
    closed, dropped = endpoint("a"), endpoint("b")
    await arriving(pieces(b"a"), 5, closed).aclose()
    arriving(pieces(b"a"), 5, dropped)
    assert (closed.outstanding, dropped.outstanding) == (0, 0)


async def test_an_aborted_response_counts_as_a_failure() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise BrokenBody("cut")

    one = endpoint("a")
    body = arriving(broken(), 5, one)
    with pytest.raises(BrokenBody):
        [piece async for piece in body]
    assert (one.breaker.closed, one.outstanding) == (False, 0)
