"""The way over sockets and the way within a process keep one contract: either stands for the other."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from contract.transport_contract import LOCALHOST, Echo, Serve, TransportContract, post, whole

from bookshelf.http.client.transport import HttpTransport, LocalTransport, NoResponse, Transport, Unreachable
from bookshelf.http.message import Handler, request
from bookshelf.http.server.server import HttpServer, free_port


@pytest.fixture(name="free_port")
def a_free_port() -> int:
    return free_port()


class TestLocalTransport(TransportContract):
    @pytest.fixture
    async def transport(self) -> AsyncIterator[LocalTransport]:
        made = LocalTransport()
        yield made
        await made.close()

    @pytest.fixture
    def serve(self, transport: LocalTransport) -> Serve:
        async def listen(handler: Handler) -> int:
            transport.attach(LOCALHOST, 1, handler)
            return 1

        return listen


class TestHttpTransport(TransportContract):
    @pytest.fixture
    async def transport(self) -> AsyncIterator[HttpTransport]:
        made = HttpTransport()
        yield made
        await made.close()

    @pytest.fixture
    async def serve(self) -> AsyncIterator[Serve]:
        servers: list[HttpServer] = []

        async def listen(handler: Handler) -> int:
            server = HttpServer(handler, LOCALHOST, 0)
            await server.start()
            servers.append(server)
            return server.port

        yield listen
        for server in servers:
            await server.stop()


@pytest.fixture
async def cut() -> AsyncIterator[int]:
    """The port of a server that reads a request and closes the connection."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, LOCALHOST, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_a_request_that_was_sent_and_not_answered_may_have_been_carried_out(cut: int) -> None:
    transport = HttpTransport()
    for method in ("GET", "DELETE", "POST"):
        with pytest.raises(NoResponse):
            await transport.send(LOCALHOST, cut, request(method, "/"))
    await transport.close()


async def test_an_address_outside_this_process_is_reached_by_sockets() -> None:
    near, far = Echo(), Echo()
    beyond = LocalTransport()
    beyond.attach(LOCALHOST, 2, far)
    transport: Transport = LocalTransport(beyond)
    assert isinstance(transport, LocalTransport)
    transport.attach(LOCALHOST, 1, near)
    for port in (1, 2):
        assert await whole(await transport.send(LOCALHOST, port, post("/", b"x"))) == b"x"
    assert (len(near.seen), len(far.seen)) == (1, 1)
    transport.detach(LOCALHOST, 1)
    with pytest.raises(Unreachable):
        await transport.send(LOCALHOST, 1, post("/", b"x"))
    await transport.close()


@pytest.fixture
async def said() -> AsyncIterator[tuple[int, list[bytes]]]:
    """The port of a server that sends a response and then more bytes, and the requests it received."""
    heard: list[bytes] = []

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % len(heard))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")

    server = await asyncio.start_server(say, LOCALHOST, 0)
    yield server.sockets[0].getsockname()[1], heard
    server.close()


async def test_an_unrequested_response_is_dropped(said: tuple[int, list[bytes]]) -> None:
    transport = HttpTransport()
    for n in (1, 2, 3):
        assert await whole(await transport.send(LOCALHOST, said[0], request("GET", "/"))) == b"%d" % n
    await transport.close()


@pytest.mark.parametrize(
    ("target", "value"),
    [("/", "a\r\nX-Forged: 1"), ("/", "a\nb"), ("/ HTTP/1.1\r\nX: y\r\n\r\n", "a"), ("/", "\0")],
)
async def test_a_request_with_a_line_break_in_a_header_is_not_sent(
    said: tuple[int, list[bytes]], target: str, value: str
) -> None:
    transport = HttpTransport()
    with pytest.raises(ValueError, match="line break"):
        await transport.send(LOCALHOST, said[0], request("GET", target, X=value))
    await transport.close()
    assert said[1] == []
