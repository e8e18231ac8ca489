"""An answer's body: its pieces come in time, and its instance is busy as long as they come."""

from collections.abc import AsyncIterator

import pytest
from support.endpoints import TOUCHY, endpoint
from support.upstream import never, pieces

from bookshelf.http.message import BrokenBody
from gateway.upstream.attempt import Attempt, StreamedBody
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pools


def arriving(
    body: AsyncIterator[bytes], patience_s: float, one: UpstreamEndpoint | None = None
) -> StreamedBody:
    pool = Pools(TOUCHY).of(("t",))
    return StreamedBody(body, patience_s, Attempt(one or endpoint("a"), pool, 0.0), lambda: 0.0)


async def test_an_answer_whose_next_piece_does_not_come_in_time_is_broken() -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"first"
        await never()

    body = arriving(stuck(), 0.01)
    assert await anext(body) == b"first"
    with pytest.raises(BrokenBody, match=r"nothing more of the answer came for 0\.01 s"):
        await anext(body)


async def test_an_answer_that_comes_in_time_is_whole() -> None:
    assert [piece async for piece in arriving(pieces(b"a", b"b"), 5)] == [b"a", b"b"]


async def test_closing_an_answer_closes_what_it_comes_from() -> None:
    source = pieces(b"a", b"b")
    body = arriving(source, 5)
    assert await anext(body) == b"a"
    await body.aclose()
    assert [piece async for piece in source] == []


async def test_an_instance_is_busy_until_the_end_of_what_it_sends() -> None:
    one = endpoint("a")
    body = arriving(pieces(b"a", b"b"), 5, one)
    assert await anext(body) == b"a"
    assert one.outstanding == 1
    assert [piece async for piece in body] == [b"b"]
    assert one.outstanding == 0


async def test_or_until_no_one_wants_it() -> None:
    closed, dropped = endpoint("a"), endpoint("b")
    await arriving(pieces(b"a"), 5, closed).aclose()
    arriving(pieces(b"a"), 5, dropped)
    assert (closed.outstanding, dropped.outstanding) == (0, 0)


async def test_an_answer_that_breaks_off_is_a_failure() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise BrokenBody("cut")

    one = endpoint("a")
    body = arriving(broken(), 5, one)
    with pytest.raises(BrokenBody):
        [piece async for piece in body]
    assert (one.breaker.closed, one.outstanding) == (False, 0)
