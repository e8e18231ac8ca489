"""A crowd of idle connections, and bodies that are larger than anyone would keep."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from support.gateway_sockets import GatewayOnSockets, asks, status
from support.upstream import HOST, Service, openapi_document

from bookshelf.http.client import HttpTransport
from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Request, Response
from gateway.ingress.middleware import IngressPolicy

BOOKS = openapi_document("books", ("books",), "GET /books", "POST /books")
#: 10,000, or as many as the file limit leaves: both ends are in this process.
IDLE = min(10_000, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500) // 2)
PIECE = bytes(1 << 18)
#: Bytes by which the process may grow while a body passes through three parts of it.
GROWTH = 48 << 20


async def test_ten_thousand_idle_connections_do_not_block_others(
    network: GatewayOnSockets, transport: HttpTransport, record_property: Callable[[str, object], None]
) -> None:
    await network.service(Service(BOOKS))
    await network.open(transport, guard=ConnectionLimits(head_s=600))
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    for _ in range(0, IDLE, 500):
        some = (asyncio.open_connection(HOST, network.port) for _ in range(min(500, IDLE - len(idle))))
        idle += await asyncio.gather(*some)
    for _ in range(20):
        assert status(await network.ask(asks("GET", "/bookshelf/books"))) == 200
    assert len(idle) == IDLE
    for _, writer in idle:
        writer.close()
    record_property("idle", IDLE)


async def test_silent_connections_are_closed(network: GatewayOnSockets, transport: HttpTransport) -> None:
    await network.service(Service(BOOKS))
    await network.open(transport, guard=ConnectionLimits(head_s=0.2))
    idle = await asyncio.gather(*(asyncio.open_connection(HOST, network.port) for _ in range(200)))
    ends = await asyncio.gather(*(reader.read() for reader, _ in idle))
    assert ends == [b""] * 200
    for _, writer in idle:
        writer.close()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Through:
    """Reads all of a body, then sends as much; notes how large the process was at the most."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.heard = 0
        self.most = 0

    async def handle(self, request: Request) -> Response:
        if request.target == "/openapi.json":
            return await Service(BOOKS).handle(request)
        async for piece in request.body.stream():
            self.heard += len(piece)
            self.most = max(self.most, resident())
        return Response(200, {"Content-Length": str(self.size)}, self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        for _ in range(0, self.size, len(PIECE)):
            self.most = max(self.most, resident())
            yield PIECE


@pytest.mark.parametrize(
    "size", [64 << 20, pytest.param(1 << 30, marks=pytest.mark.slow)], ids=["64 MiB", "1 GiB"]
)
async def test_a_large_body_is_streamed_in_constant_memory(
    network: GatewayOnSockets, transport: HttpTransport, size: int
) -> None:
    service = Through(size)
    await network.service(service)
    await network.open(transport, IngressPolicy(body=2 << 30))
    before = resident()
    reader, writer = await asyncio.open_connection(HOST, network.port)
    writer.write(asks("POST", "/bookshelf/books", f"Content-Length: {size}"))
    for _ in range(0, size, len(PIECE)):
        writer.write(PIECE)
        await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    heard = 0
    while piece := await reader.read(1 << 18):
        heard += len(piece)
    writer.close()
    assert (status(head), service.heard, heard) == (200, size, size)
    assert service.most - before < GROWTH


async def test_a_slow_client_slows_only_its_own_upstream(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    service = Through(256 << 20)
    await network.service(service)
    await network.open(transport)
    before = resident()
    reader, writer = await asyncio.open_connection(HOST, network.port, limit=1 << 16)
    writer.write(asks("POST", "/bookshelf/books"))
    await reader.readexactly(1 << 20)
    for _ in range(20):
        assert status(await network.ask(asks("GET", "/health/live"))) == 200
    assert service.most - before < GROWTH
    writer.close()
