"""The way over sockets and the way within a process keep one contract: either stands for the other."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from contract.transport_contract import LOCALHOST, Echo, Serve, TransportContract, post, whole
from support.certificate import KeyPair, write_certificate

from bookshelf.http.client import (
    HttpTransport,
    LocalTransport,
    NoResponse,
    RemoteHandler,
    Transport,
    Unreachable,
)
from bookshelf.http.message import Handler, TooLarge, read_response, request
from bookshelf.http.server import HttpServer, free_port


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
        async with servers() as listen:
            yield listen


class TestHttpTransportOverTls(TransportContract):
    @pytest.fixture
    def files(self, tmp_path: Path) -> KeyPair:
        return write_certificate(tmp_path)

    @pytest.fixture
    async def transport(self, files: KeyPair) -> AsyncIterator[HttpTransport]:
        made = HttpTransport(tls=ssl.create_default_context(cafile=files.certificate))
        yield made
        await made.close()

    @pytest.fixture
    async def serve(self, files: KeyPair) -> AsyncIterator[Serve]:
        async with servers(server_side(files)) as listen:
            yield listen

    async def test_a_server_with_an_untrusted_certificate_receives_no_request(self, serve: Serve) -> None:
        echo = Echo()
        port = await serve(echo)
        transport = HttpTransport(tls=ssl.create_default_context())
        with pytest.raises(Unreachable, match=r"(?i)certificate verify failed"):
            await transport.send(LOCALHOST, port, request("GET", "/"))
        await transport.close()
        assert echo.seen == []


def server_side(files: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


@asynccontextmanager
async def servers(tls: ssl.SSLContext | None = None) -> AsyncIterator[Serve]:
    """Servers of any handlers, each on its own port."""
    running: list[HttpServer] = []

    async def listen(handler: Handler) -> int:
        server = HttpServer(handler, LOCALHOST, 0, tls=tls)
        await server.start()
        running.append(server)
        return server.port

    yield listen
    for server in running:
        await server.stop()


@pytest.mark.parametrize("secure", [False, True])
async def test_a_remote_handler_sends_requests_to_the_server_of_its_url(
    tmp_path: Path, *, secure: bool
) -> None:
    files = write_certificate(tmp_path)
    async with servers(server_side(files) if secure else None) as listen:
        port = await listen(Echo())
        tls = ssl.create_default_context(cafile=files.certificate)
        remote = RemoteHandler(f"{'https' if secure else 'http'}://{LOCALHOST}:{port}/any?path", tls=tls)
        answer = await remote.handle(post("/a", b"content"))
        assert (answer.status, await whole(answer)) == (202, b"content")
        await remote.close()


async def test_a_response_with_too_many_bytes_is_not_read_to_its_end() -> None:
    async with servers() as listen:
        remote = RemoteHandler(f"http://{LOCALHOST}:{await listen(Echo())}")
        content = b"x" * 1_000_000
        assert await read_response(await remote.handle(post("/", content)), len(content)) == content
        answer = await remote.handle(post("/", content))
        with pytest.raises(TooLarge):
            await read_response(answer, len(content) - 1)
        assert await read_response(await remote.handle(post("/", b"next")), 4) == b"next"
        await remote.close()


@pytest.mark.parametrize("status", [400, 404, 503])
async def test_after_an_error_the_name_is_looked_up_again(status: int) -> None:
    """As behind an address that led for a moment to another server, which keeps its connection."""
    connections: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        answered = status if len(connections) == 1 else 200
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 %d Any\r\nContent-Length: 0\r\n\r\n" % answered)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, LOCALHOST, 0)
    remote = RemoteHandler(f"http://{LOCALHOST}:{server.sockets[0].getsockname()[1]}")
    found = [(await remote.handle(request("GET", "/"))).status for _ in range(3)]
    await remote.close()
    assert (found, len(connections)) == ([status, 200, 200], 2)
    await asyncio.wait(filter(None, connections))
    server.close()
    await server.wait_closed()


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
async def talkative() -> AsyncIterator[tuple[int, list[bytes]]]:
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


async def test_an_unrequested_response_is_dropped(talkative: tuple[int, list[bytes]]) -> None:
    transport = HttpTransport()
    for n in (1, 2, 3):
        assert await whole(await transport.send(LOCALHOST, talkative[0], request("GET", "/"))) == b"%d" % n
    await transport.close()


@pytest.mark.parametrize(
    ("target", "value"),
    [("/", "a\r\nX-Forged: 1"), ("/", "a\nb"), ("/ HTTP/1.1\r\nX: y\r\n\r\n", "a"), ("/", "\0")],
)
async def test_a_request_with_a_line_break_in_a_header_is_not_sent(
    talkative: tuple[int, list[bytes]], target: str, value: str
) -> None:
    transport = HttpTransport()
    with pytest.raises(ValueError, match="line break"):
        await transport.send(LOCALHOST, talkative[0], request("GET", target, X=value))
    await transport.close()
    assert talkative[1] == []
