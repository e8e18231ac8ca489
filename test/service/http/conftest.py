"""Ports of their own, with guards that a test sets."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from support.upstream import HOST

from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Handler
from bookshelf.http.server import HttpServer

Open = Callable[[Handler, ConnectionLimits], Awaitable[HttpServer]]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    servers: list[HttpServer] = []

    async def start(handler: Handler, guard: ConnectionLimits) -> HttpServer:
        server = HttpServer(handler, HOST, 0, guard=guard, cancels=True)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop(0.1)
