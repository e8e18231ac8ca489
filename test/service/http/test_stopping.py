"""A port that closes: what is under way may end, and has not for ever."""

import asyncio
from collections.abc import Awaitable, Callable

from support.raw_http import Repeats, bodies, get, said
from support.upstream import DEADLINE_S, eventually

from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Handler
from bookshelf.http.server.server import HttpServer

Open = Callable[[Handler, ConnectionLimits], Awaitable[HttpServer]]


async def test_a_stop_lets_what_is_under_way_end(opened: Open) -> None:
    repeats = Repeats()
    server = await opened(repeats, ConnectionLimits())
    asked = asyncio.create_task(said(server.port, get("/slow")))
    idle = asyncio.create_task(said(server.port, b""))
    async with asyncio.timeout(DEADLINE_S):
        await eventually(lambda: bool(repeats.asked) and len(server.connections) == 2)
        stopping = asyncio.create_task(server.stop(DEADLINE_S))
        assert await idle == b""
        assert not asked.done()
        repeats.go.set()
        found = await asked
        await stopping
    assert bodies(found) == [b"<GET /slow >"]
    assert b"Connection: close" in found


async def test_and_not_for_ever(opened: Open) -> None:
    repeats = Repeats()
    server = await opened(repeats, ConnectionLimits())
    asked = asyncio.create_task(said(server.port, get("/slow")))
    async with asyncio.timeout(DEADLINE_S):
        await eventually(lambda: bool(repeats.asked))
        await server.stop(0.05)
        assert await asked in {b"", b"reset"}
    assert len(server.connections) == 0
