"""Graceful shutdown of a port: running requests may end, within a deadline."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

from support.raw_http import Repeats, bodies, get, json_of
from support.upstream import DEADLINE_S, HOST, eventually

from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Handler, Request, Response
from bookshelf.http.server import HttpServer

Open = Callable[[Handler, ConnectionLimits], Awaitable[HttpServer]]


async def test_a_graceful_stop_completes_running_requests(opened: Open) -> None:
    repeats = Repeats()
    server = await opened(repeats, ConnectionLimits())
    asked = asyncio.create_task(json_of(server.port, get("/slow")))
    idle = asyncio.create_task(json_of(server.port, b""))
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


async def test_a_graceful_stop_has_a_deadline(opened: Open) -> None:
    repeats = Repeats()
    server = await opened(repeats, ConnectionLimits())
    asked = asyncio.create_task(json_of(server.port, get("/slow")))
    async with asyncio.timeout(DEADLINE_S):
        await eventually(lambda: bool(repeats.asked))
        await server.stop(0.05)
        assert await asked in {b"", b"reset"}
    assert len(server.connections) == 0


async def answers(connected: list[socket.socket]) -> list[bytes]:
    """Return what each blocking connection receives until its end; b"reset" for one that is reset."""

    def received(one: socket.socket) -> bytes:
        with one:
            one.settimeout(DEADLINE_S)
            pieces = []
            try:
                while piece := one.recv(65536):
                    pieces.append(piece)
            except ConnectionResetError:
                return b"reset"
            return b"".join(pieces)

    return list(await asyncio.gather(*(asyncio.to_thread(received, one) for one in connected)))


async def test_a_stop_answers_clients_that_the_system_has_connected_already(opened: Open) -> None:
    repeats = Repeats()
    repeats.go.set()
    server = await opened(repeats, ConnectionLimits())
    waiting = [socket.create_connection((HOST, server.port)) for _ in range(20)]
    for one in waiting:
        one.sendall(get("/late"))  # the loop has not run since: the server has accepted none of them
    answered = asyncio.create_task(answers(waiting))
    await server.stop(DEADLINE_S)
    assert [b"200 OK" in found and b"Connection: close" in found for found in await answered] == [True] * 20


async def test_a_stop_waits_for_the_first_request_of_a_new_connection(opened: Open) -> None:
    repeats = Repeats()
    repeats.go.set()
    server = await opened(repeats, ConnectionLimits())
    connected = socket.create_connection((HOST, server.port))
    await eventually(lambda: len(server.connections) == 1)
    stopping = asyncio.create_task(server.stop(DEADLINE_S))
    await eventually(lambda: server.connections.leaving)
    connected.sendall(get("/late"))
    assert b"200 OK" in (await answers([connected]))[0]
    await stopping


class Visitor:
    """Connects anew for each request, from a thread; a port that refuses is tried again."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.leaves = threading.Event()
        self.faults: list[str] = []

    def visit(self) -> None:
        """Ask until it leaves. Only a refused connection is none of the server's faults."""
        while not self.leaves.is_set():
            try:
                with socket.create_connection((HOST, self.port), DEADLINE_S) as one:
                    one.sendall(get("/late"))
                    if b"200 OK" not in one.recv(65536):
                        self.faults.append("closed without an answer")
            except ConnectionRefusedError:
                continue
            except OSError as fault:
                self.faults.append(repr(fault))


async def test_a_stop_resets_no_client_that_connects_meanwhile(opened: Open) -> None:
    repeats = Repeats()
    repeats.go.set()
    server = await opened(repeats, ConnectionLimits())
    visitors = [Visitor(server.port) for _ in range(20)]
    visits = [asyncio.create_task(asyncio.to_thread(one.visit)) for one in visitors]
    try:
        for _ in range(100):  # a client whose connection is not begun waits for a second: others come
            await asyncio.sleep(0.01)  # sleep: so that clients come before the stop, too
            await server.stop(DEADLINE_S)
            server = HttpServer(repeats, HOST, server.port)
            await server.start()
    finally:
        for one in visitors:
            one.leaves.set()
        await asyncio.gather(*visits)
        await server.stop(DEADLINE_S)
    assert [one.faults for one in visitors] == [[]] * len(visitors)


class Stream:
    """Answers with a stream of events that never ends, and records that it was closed."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def handle(self, _request: Request) -> Response:
        return Response(200, {"Content-Type": "text/event-stream"}, self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        try:
            yield b"data: 1\n\n"
            await asyncio.Event().wait()
        finally:
            self.closed.set()


async def test_a_stream_of_events_does_not_delay_a_stop(opened: Open) -> None:
    stream = Stream()
    server = await opened(stream, ConnectionLimits())
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(get("/events"))
    async with asyncio.timeout(DEADLINE_S):
        await reader.readuntil(b"data: 1")
        await server.stop(10 * DEADLINE_S)
        await stream.closed.wait()
    writer.close()


async def test_a_stream_of_events_ends_when_its_client_disconnects_also_where_requests_go_on() -> None:
    stream = Stream()
    server = HttpServer(stream, HOST, 0)
    await server.start()
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(get("/events"))
    async with asyncio.timeout(DEADLINE_S):
        await reader.readuntil(b"data: 1")
        writer.close()
        await stream.closed.wait()
    await server.stop(0.1)
