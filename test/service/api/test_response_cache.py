"""A hot answer is rendered once for each revision of the rows, however many ask at a time."""

import asyncio

import pytest

from bookshelf.cqrs.errors import NotFound
from bookshelf.runtime.api import queries
from bookshelf.runtime.api.queries import RenderedResponse, ResponseCache


class Kitchen:
    """Renders when a test allows it, and counts."""

    def __init__(self, *faults: Exception, size: int = 3) -> None:
        self.rendered = 0
        self.open = asyncio.Event()
        self.open.set()
        self._faults = list(faults)
        self._size = size

    async def render(self) -> RenderedResponse:
        self.rendered += 1
        count = self.rendered
        await self.open.wait()
        if self._faults:
            raise self._faults.pop(0)
        return RenderedResponse(b"%d" % count * self._size, f'"{count}"', None)


async def test_an_answer_is_rendered_once_for_each_revision() -> None:
    cache, kitchen = ResponseCache(), Kitchen()
    first = await cache.get("/books", 1, kitchen.render)
    assert await cache.get("/books", 1, kitchen.render) is first
    assert await cache.get("/books?q=x", 1, kitchen.render) is not first
    assert kitchen.rendered == 2


async def test_concurrent_requests_share_one_rendering() -> None:
    cache, kitchen = ResponseCache(), Kitchen()
    kitchen.open.clear()
    asked = [asyncio.ensure_future(cache.get("/books", 1, kitchen.render)) for _ in range(10)]
    await asyncio.wait(asked, timeout=0)
    kitchen.open.set()
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*asked)
    assert kitchen.rendered == 1
    assert len({answer.tag for answer in answers}) == 1


async def test_a_newer_revision_is_rendered_again() -> None:
    cache, kitchen = ResponseCache(), Kitchen()
    first = await cache.get("/books", 1, kitchen.render)
    second = await cache.get("/books", 2, kitchen.render)
    assert (first.tag, second.tag) == ('"1"', '"2"')


async def test_a_cancelled_request_does_not_cancel_the_shared_rendering() -> None:
    cache, kitchen = ResponseCache(), Kitchen()
    kitchen.open.clear()
    gone = asyncio.ensure_future(cache.get("/books", 1, kitchen.render))
    stays = asyncio.ensure_future(cache.get("/books", 1, kitchen.render))
    await asyncio.wait([gone, stays], timeout=0)
    gone.cancel()
    kitchen.open.set()
    async with asyncio.timeout(30):
        assert (await stays).tag == '"1"'


async def test_refusals_are_cached_and_faults_are_not() -> None:
    cache, kitchen = ResponseCache(), Kitchen(NotFound("no such book"), OSError("no disk"))
    for _ in range(3):
        with pytest.raises(NotFound):
            await cache.get("/books/1", 1, kitchen.render)
    assert kitchen.rendered == 1
    with pytest.raises(OSError, match="no disk"):
        await cache.get("/books", 1, kitchen.render)
    assert (await cache.get("/books", 1, kitchen.render)).tag == '"3"'


async def test_the_least_recently_used_answer_is_evicted() -> None:
    cache, kitchen = ResponseCache(), Kitchen()
    for n in range(queries._ENTRIES):  # noqa: SLF001 (the bound is what is tested)
        await cache.get(f"/{n}", 1, kitchen.render)
    await cache.get("/0", 1, kitchen.render)
    await cache.get("/another", 1, kitchen.render)
    rendered = kitchen.rendered
    await cache.get("/0", 1, kitchen.render)
    assert kitchen.rendered == rendered
    await cache.get("/1", 1, kitchen.render)
    assert kitchen.rendered == rendered + 1


async def test_the_cache_is_bounded_in_bytes() -> None:
    cache = ResponseCache()
    kitchen = Kitchen(size=queries._BYTES // 4)  # noqa: SLF001 (the bound is what is tested)
    for revision in range(3):
        asked = [asyncio.ensure_future(cache.get(f"/{n}", revision, kitchen.render)) for n in range(4)]
        await asyncio.gather(*asked)
    kitchen.rendered = 0
    for n in range(5):
        await cache.get(f"/{n}", 9, kitchen.render)
    await cache.get("/0", 9, kitchen.render)
    assert kitchen.rendered == 6


async def test_an_answer_evicted_before_it_was_counted_is_not_subtracted() -> None:
    cache, kitchen = ResponseCache(), Kitchen(size=1000)
    kitchen.open.clear()
    first = asyncio.ensure_future(cache.get("/books", 1, kitchen.render))
    await asyncio.wait([first], timeout=0)
    kitchen.open.set()
    second = asyncio.ensure_future(
        cache.get("/books", 2, kitchen.render)
    )  # comes just when the first is done
    async with asyncio.timeout(30):
        await asyncio.gather(first, second)
    assert cache._bytes == 1000  # noqa: SLF001 (a bound that drifts is none)
