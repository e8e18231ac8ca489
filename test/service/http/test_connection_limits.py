"""Limits on connections and on request heads."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from support.gateway_sockets import asks, status
from support.upstream import HOST, Service, eventually, never, openapi_document

from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Handler, Request, Response
from bookshelf.http.server import HttpServer

Open = Callable[[Handler, ConnectionLimits], Awaitable[HttpServer]]
ANY = openapi_document("any", ("any",), "GET /")
ONE = asks("GET", "/")


async def json_of(port: int, content: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(content)
    try:
        return await reader.read()
    except ConnectionResetError:  # it may be closed while there is still something to be read
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("guard", [ConnectionLimits(connections=3), ConnectionLimits(connections_each=3)])
async def test_a_connection_over_the_limit_is_answered_503_until_another_closes(
    opened: Open, guard: ConnectionLimits
) -> None:
    server = await opened(Service(ANY), guard)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            _, writer = await asyncio.open_connection(HOST, server.port)
            stack.callback(writer.close)
        await eventually(lambda: len(server.connections) == 3)
        refused = await json_of(server.port, b"")
        assert status(refused) == 503
        assert b"Retry-After" in refused
    await eventually(lambda: len(server.connections) == 0)
    assert status(await json_of(server.port, ONE)) == 200
    assert server.connections.refused == 1


@pytest.mark.parametrize(
    "guard", [ConnectionLimits(connections=2, spare=2), ConnectionLimits(connections_each=2, spare=2)]
)
async def test_a_spare_connection_serves_only_health_and_metrics(
    opened: Open, guard: ConnectionLimits
) -> None:
    server = await opened(Service(ANY), guard)
    health = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with AsyncExitStack() as stack:
        for _ in range(2):
            _, writer = await asyncio.open_connection(HOST, server.port)
            stack.callback(writer.close)
        await eventually(lambda: len(server.connections) == 2)
        for _ in range(3):  # one request each: the connection closes after it
            assert status(await json_of(server.port, health)) == 200
        assert status(await json_of(server.port, ONE)) == 503
        for _ in range(2):
            _, writer = await asyncio.open_connection(HOST, server.port)
            stack.callback(writer.close)
        await eventually(lambda: len(server.connections) == 4)
        assert status(await json_of(server.port, b"")) == 503
    await eventually(lambda: len(server.connections) == 0)
    assert status(await json_of(server.port, ONE)) == 200


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (asks("GET", "/" + "x" * 8000), 200),
        (asks("GET", "/" + "x" * 9000), 431),
        (asks("GET", "/", "X: " + "x" * 8000), 200),
        (asks("GET", "/", "X: " + "x" * 9000), 431),
        (asks("GET", "/", "X" * 9000 + ": x"), 431),
        (asks("GET", "/", *["X: y"] * 100), 200),
        (asks("GET", "/", *["X: y"] * 200), 400),
    ],
)
async def test_a_request_head_over_the_limit_is_refused(opened: Open, request_: bytes, code: int) -> None:
    server = await opened(Service(ANY), ConnectionLimits())
    assert status(await json_of(server.port, request_)) == code


async def test_a_request_head_of_many_short_lines_is_refused(opened: Open) -> None:
    service = Service(ANY)
    server = await opened(service, ConnectionLimits(head=10_000))
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: %s\r\n" % (n, b"y" * 4000) for n in range(4)))
    assert status(await reader.read()) == 431
    writer.close()
    assert service.asked == []


async def test_a_request_is_cancelled_when_its_client_disconnects(opened: Open) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work(_request: Request) -> Response:
        begun.set()
        try:
            return await never()
        finally:
            ended.set()

    server = await opened(Service(ANY, work), ConnectionLimits())
    _, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(ONE)
    await begun.wait()
    writer.close()
    async with asyncio.timeout(30):
        await ended.wait()


async def test_an_unexpected_body_is_not_parsed_as_the_next_request(opened: Open) -> None:
    service = Service(ANY, lambda _request: refused())
    server = await opened(service, ConnectionLimits())
    waits = asks("POST", "/", "Expect: 100-continue", "Content-Length: 10").replace(
        b"Connection: close\r\n", b""
    )
    found = await json_of(server.port, waits)
    assert status(found) == 413
    assert b"Connection: close" in found
    assert b"100 Continue" not in found


async def refused() -> Response:
    return Response(413, {})
