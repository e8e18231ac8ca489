"""Slow clients of three kinds: an endless head, a dripping body, an unread response."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from support.gateway_sockets import asks, chunk, status
from support.upstream import DEADLINE_S, HOST

from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import BrokenBody, Handler, Request, Response
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.server import HttpServer

Open = Callable[[Handler, ConnectionLimits], Awaitable[HttpServer]]
SHORT = ConnectionLimits(head_s=0.05, body_idle_s=0.05, grace_s=0.05, unread_s=0.05, idle_s=5)


class Listener:
    """Reads whole bodies; answers with the given pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.ended = asyncio.Event()

    async def handle(self, request: Request) -> Response:
        try:
            await request.body.read(1 << 20)
        except BrokenBody as fault:
            return problem_response(Problem("timeout", str(fault)))
        return Response(200, {}, self._stream() if self._pieces else b"ok")

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            for piece in self._pieces:
                yield piece
        finally:
            self.ended.set()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            yield reader, writer
        finally:
            writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX: "])
async def test_a_request_head_that_does_not_end_is_cut_off(opened: Open, sent: bytes) -> None:
    server = await opened(Listener(), SHORT)
    async with connected(server.port) as (reader, writer):
        writer.write(sent)
        found = await reader.read()
    assert found == b"" if not sent else status(found) == 408


async def test_a_request_head_that_drips_is_cut_off(opened: Open) -> None:
    server = await opened(Listener(), SHORT)
    async with connected(server.port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        ended = asyncio.create_task(reader.read())
        while not ended.done():
            writer.write(b"y")
            await asyncio.wait({ended}, timeout=0.01)
    assert isinstance(ended.exception(), ConnectionResetError) or status(ended.result()) == 408


async def test_a_second_head_is_timed_from_its_first_byte(opened: Open) -> None:
    server = await opened(Listener(), SHORT)
    async with connected(server.port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"ok")
        await asyncio.sleep(4 * SHORT.head_s)  # sleep: between requests there is more time than for a head
        writer.write(b"GET / HTTP/1.1\r\n")
        assert status(await reader.read()) == 408


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_a_body_that_stops_is_cut_off(opened: Open, framing: str) -> None:
    server = await opened(Listener(), SHORT)
    async with connected(server.port) as (reader, writer):
        writer.write(asks("POST", "/", framing) + chunk(b"half"))
        found = await reader.readuntil(b"}")
    assert status(found) == 408
    assert b"nothing more of the body came" in found


async def test_a_body_that_drips_is_cut_off(opened: Open) -> None:
    server = await opened(Listener(), ConnectionLimits(body_idle_s=5, grace_s=0.05, body_rate=1000))
    async with connected(server.port) as (reader, writer):
        writer.write(asks("POST", "/", "Transfer-Encoding: chunked"))
        ended = asyncio.create_task(reader.readuntil(b"}"))
        while not ended.done():
            writer.write(chunk(b"x"))
            await asyncio.wait({ended}, timeout=0.01)
    assert status(ended.result()) == 408
    assert b"too slowly" in ended.result()


@pytest.mark.parametrize("pieces", [(b"x" * 65536,) * 400, (b"x" * (24 << 20),)])
async def test_an_unread_response_is_dropped_after_the_time_limit(
    opened: Open, pieces: tuple[bytes, ...]
) -> None:
    listener = Listener(*pieces)
    server = await opened(listener, SHORT)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((HOST, server.port))
        slow.sendall(asks("GET", "/"))
        async with asyncio.timeout(DEADLINE_S):
            await listener.ended.wait()
            while len(server.connections):  # noqa: ASYNC110 (there is no event for it)
                await asyncio.sleep(0.01)  # sleep: between two looks at the condition


async def test_a_slow_client_within_the_limit_gets_the_whole_response(opened: Open) -> None:
    listener = Listener(*[b"x" * 65536] * 200)
    server = await opened(listener, ConnectionLimits(unread_s=0.25))
    async with connected(server.port) as (reader, writer):
        writer.write(asks("GET", "/"))
        size = 0
        while piece := await reader.read(1 << 20):
            size += piece.count(b"x")
            await asyncio.sleep(0.002)  # sleep: it takes its time
    assert size == 200 * 65536
