"""Bodies as they are sent on."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from multidict import CIMultiDict
from support.upstream import pieces

from bookshelf.http.message import Body, BrokenBody, BytesBody, Request, TooLarge
from gateway import bodies

LONG = bodies.SHORT + 1


class Arriving:
    """A body that hands itself out piece by piece, and counts them."""

    def __init__(self, *parts: bytes, broken: bool = False) -> None:
        self.parts = parts
        self.broken = broken
        self.handed = 0

    async def read(self, limit: int) -> bytes:
        content = b"".join([piece async for piece in self.stream()])
        if len(content) > limit:
            raise TooLarge(limit)
        return content

    async def stream(self) -> AsyncIterator[bytes]:
        async for piece in pieces(*self.parts):
            self.handed += 1
            yield piece
        if self.broken:
            raise BrokenBody("cut off")


async def onward(body: Body, **headers: str) -> Body:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return await bodies.onward(Request("POST", "/", named, body))


async def test_a_short_body_is_buffered_for_retries() -> None:
    found = await onward(Arriving(b"ab", b"c"), Content_Length="3")
    assert isinstance(found, BytesBody)
    assert found.content == b"abc"


@pytest.mark.parametrize("length", [str(LONG), "9" * 5000, "-1", "+3", "\u0663", "x", ""])
async def test_a_body_of_unknown_or_large_length_is_streamed(length: str) -> None:
    arriving = Arriving(b"ab", b"c")
    found = await onward(arriving, Content_Length=length)
    assert isinstance(found, bodies.Upload)
    assert arriving.handed == 0


async def test_a_body_without_a_length_is_streamed() -> None:
    arriving = Arriving(b"ab", b"c")
    stream = (await onward(arriving)).stream()
    assert (await anext(aiter(stream)), arriving.handed) == (b"ab", 1)
    assert [piece async for piece in stream] == [b"c"]


async def test_a_complete_body_is_unchanged() -> None:
    here = BytesBody(b"x" * LONG)
    assert await onward(here) is here


async def test_an_upload_is_read_completely_up_to_a_limit() -> None:
    assert await (await onward(Arriving(b"ab", b"c"))).read(3) == b"abc"
    with pytest.raises(TooLarge, match="2 bytes"):
        await (await onward(Arriving(b"ab", b"c"))).read(2)


async def test_an_upload_records_that_the_client_aborted_it() -> None:
    found = await onward(Arriving(b"ab", broken=True))
    assert isinstance(found, bodies.Upload)
    with pytest.raises(BrokenBody, match="cut off"):
        await found.read(10)
    assert str(found.broken) == "cut off"


async def test_each_chunk_of_an_upload_extends_its_deadline() -> None:
    found = await onward(Arriving(b"ab", b"c"))
    assert isinstance(found, bodies.Upload)
    async with asyncio.timeout(5) as deadline:
        first = deadline.when()
        found.put_off(deadline, 60)
        await found.read(10)
        assert first is not None
        assert (deadline.when() or 0) > first + 50


async def test_an_unwanted_body_is_drained_up_to_a_limit() -> None:
    await bodies.discard(b"here")
    short, endless = Arriving(b"x", b"y"), Arriving(*[b"x" * 10] * 9)
    await bodies.discard(short.stream())
    await bodies.discard(endless.stream(), limit=15)
    assert (short.handed, endless.handed) == (2, 2)


async def test_draining_a_body_ignores_an_abort() -> None:
    await bodies.discard(Arriving(b"x", broken=True).stream())
