"""Connections that wait at a port are accepted together, on both event loops."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from support.raw_http import Repeats, get
from support.upstream import DEADLINE_S, HOST

from bookshelf.http.server import HttpServer

#: Clients that connect before the loop runs again, and the iterations in which all of them are accepted.
_CLIENTS, _TURNS = 60, 20
LOOPS = pytest.mark.parametrize(
    "make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


def run(
    work: Callable[[HttpServer], Awaitable[None]], make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Run work with a server, and stop the server at last."""

    async def served() -> None:
        repeats = Repeats()
        repeats.go.set()
        server = HttpServer(repeats, HOST, 0)
        await server.start()
        try:
            await work(server)
        finally:
            await server.stop(0.1)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(served())


def connected(server: HttpServer) -> list[socket.socket]:
    """Return clients that the system has connected; the server has accepted none of them."""
    return [socket.create_connection((HOST, server.port)) for _ in range(_CLIENTS)]


@LOOPS
def test_connections_that_wait_are_accepted_together(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def work(server: HttpServer) -> None:
        clients = connected(server)
        for _ in range(_TURNS):
            await asyncio.sleep(0)  # sleep: iterations of the loop are what is counted
        found = len(server.connections)
        for client in clients:
            client.close()
        assert found == _CLIENTS

    run(work, make_loop)


def received(client: socket.socket) -> bytes:
    """Return what a client receives until its end."""
    with client:
        client.settimeout(DEADLINE_S)
        pieces = []
        while piece := client.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)


@LOOPS
def test_a_stop_answers_all_clients_that_the_system_has_connected(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def work(server: HttpServer) -> None:
        clients = connected(server)
        for client in clients:
            client.sendall(get("/late"))
        answered = [asyncio.create_task(asyncio.to_thread(received, client)) for client in clients]
        await server.stop(DEADLINE_S)
        assert all(b"200 OK" in found for found in await asyncio.gather(*answered))

    run(work, make_loop)
