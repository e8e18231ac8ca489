"""WebSocket pass-through: an upgrade that the service agrees to becomes a tunnel of bytes, both ways."""

import asyncio
import contextlib

import msgspec
import pytest
from support.gateway_sockets import GatewayOnSockets, Talk, asks, status
from support.upstream import DEADLINE_S, Service, openapi_document

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Response
from bookshelf.runtime.agent.gate import Admissions
from gateway.admission import GatewayGate
from gateway.ingress.middleware import ConcurrencyLimiter

LIVE = openapi_document("books", ("books",), "GET /live", "POST /live")
ASKS = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhl", "Sec-WebSocket-Version: 13")
AGREED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: x\r\n\r\n"
)


def wants(path: str = "/bookshelf/live") -> bytes:
    return asks("GET", path, *ASKS).replace(b"Connection: close\r\n", b"")


class Echo:
    """Agrees to the upgrade, greets, then sends back in capitals what it receives."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.ended = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/openapi.json" in head:
            document = msgspec.json.encode(LIVE)
            writer.write(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(document)
            )
            writer.write(document)
        else:
            self.heads.append(head)
            writer.write(AGREED + b"hello\0")
            with contextlib.suppress(ConnectionError):
                while heard := await reader.read(65536):
                    writer.write(heard.upper())
                    await writer.drain()
            self.ended.set()
        writer.close()


async def test_bytes_are_copied_both_ways_until_the_client_closes(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    echo = Echo()
    await network.talker(echo)
    await network.open(transport)
    async with network.connection() as (reader, writer):
        writer.write(wants() + b"at once")
        assert status(head := await reader.readuntil(b"\r\n\r\n")) == 101
        assert b"Upgrade: websocket" in head
        assert b"Sec-WebSocket-Accept: x" in head
        assert await reader.readexactly(13) == b"hello\0AT ONCE"
        big = bytes(range(97, 123)) * 40_000
        sending = asyncio.create_task(_send(writer, big))
        assert await reader.readexactly(len(big)) == big.upper()
        await sending
    async with asyncio.timeout(DEADLINE_S):
        await echo.ended.wait()
    assert b"Upgrade: websocket" in echo.heads[0]
    assert b"Sec-WebSocket-Key: dGhl" in echo.heads[0]


async def _send(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(content)
    await writer.drain()


async def test_a_service_that_closes_ends_the_upgraded_connection(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.talker(_once(AGREED + b"bye"))
    await network.open(transport)
    async with network.connection() as (reader, writer):
        writer.write(wants())
        assert (await reader.read()).endswith(b"\r\n\r\nbye")


def _once(content: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        document = msgspec.json.encode(LIVE)
        own = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(document), document)
        writer.write(own if b"/openapi.json" in head else content)
        await writer.drain()
        writer.close()

    return talk


async def test_a_refused_upgrade_is_forwarded_and_http_continues(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    service = Service(LIVE, Response(426, {}, b"no"))
    await network.service(service)
    await network.open(transport)
    async with network.connection() as (reader, writer):
        for _ in range(2):
            writer.write(wants())
            assert status(await reader.readuntil(b"\r\n\r\n")) == 426
            assert await reader.readexactly(2) == b"no"
    assert len(service.asked) == 2


@pytest.mark.parametrize("header", ["Upgrade: h2c", "Upgrade: TLS/1.0", "Upgrade: websocket, h2c"])
async def test_only_websocket_upgrades_are_forwarded(
    network: GatewayOnSockets, transport: HttpTransport, header: str
) -> None:
    service = Service(LIVE)
    await network.service(service)
    await network.open(transport)
    head = asks("GET", "/bookshelf/live", header).replace(b"close", b"Upgrade, close")
    assert status(await network.ask(head)) == 200
    assert "Upgrade" not in service.asked[0].headers


async def test_an_unrequested_101_is_a_bad_gateway(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.talker(_once(AGREED))
    await network.open(transport)
    assert status(await network.ask(asks("GET", "/bookshelf/live"))) == 504


async def test_a_client_is_notified_of_a_pause_by_pings_between_frames(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    """The service has sent half of a message when the pause begins."""
    more = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        document = msgspec.json.encode(LIVE)
        if b"/openapi.json" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(document), document))
        else:
            writer.write(AGREED + b"\x81\x05he")
            await more.wait()
            writer.write(b"llo")
            await reader.read()
        writer.close()

    await network.talker(talk)
    gateway = await network.open(transport)
    gate = gateway.gate = GatewayGate(Admissions(b"key"), ConcurrencyLimiter(8, 3, 30.0))
    gate.resume()
    async with asyncio.timeout(DEADLINE_S), network.connection() as (reader, writer):
        writer.write(wants())
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(4) == b"\x81\x05he"
        gate.pause("r1", None)
        more.set()
        assert await reader.readexactly(3 + 14) == b"llo" + b"\x89\x0creloading r1"
        gate.resume()
        assert await reader.readexactly(9) == b"\x89\x07resumed"
