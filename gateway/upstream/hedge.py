"""A query that is put to a second instance when the first takes long: the answer that comes first is taken.

Source: J. Dean and L. A. Barroso, The Tail at Scale (2013), "hedged requests".
"""

import asyncio
from collections.abc import Awaitable, Callable

from bookshelf.http.message import Response, close_body

Ask = Callable[[], Awaitable[Response]]


async def hedged(ask: Ask, after_s: float, may: Callable[[], bool]) -> Response:
    """Return the first answer, of one ask or of two. A fault counts only if the other fails too."""
    first = asyncio.ensure_future(ask())
    running: set[asyncio.Future[Response]] = {first}
    try:
        done, _ = await asyncio.wait(running, timeout=after_s)
        if not done and may():
            running.add(asyncio.ensure_future(ask()))
        return await _first(running)
    finally:
        await _dropped(running)


async def _first(running: set["asyncio.Future[Response]"]) -> Response:
    while True:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            running.discard(one)
            if one.exception() is None or not running:
                return one.result()


async def _dropped(running: set["asyncio.Future[Response]"]) -> None:
    for one in running:
        one.cancel()
    for answer in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(answer, Response):
            await close_body(answer.body)
