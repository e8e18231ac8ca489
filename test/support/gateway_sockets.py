"""A gateway, its services and its clients with real sockets between them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from support.upstream import DEADLINE_S, HOST

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Instance
from bookshelf.http.client import HttpTransport
from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Handler
from bookshelf.http.server import HttpServer
from gateway.app import Gateway
from gateway.auth import Verifier
from gateway.ingress.compression import GzipResponses
from gateway.ingress.middleware import Ingress, IngressPolicy
from gateway.options import GatewayOptions
from gateway.upstream.call import CallTimeouts

META = {"openapi": "/openapi.json"}
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class GatewayOnSockets:
    """Real ports: services that are handlers, services that send raw bytes, and the gateway's own."""

    def __init__(self, stack: AsyncExitStack, discovery: LocalDiscovery) -> None:
        self._stack = stack
        self._discovery = discovery
        self._count = 0
        self.port = 0

    async def open(
        self,
        transport: HttpTransport,
        house: IngressPolicy | None = None,
        guard: ConnectionLimits | None = None,
        verifier: Verifier | None = None,
        patience: CallTimeouts | None = None,
    ) -> Gateway:
        """Open the gateway, with the routes of all ready instances, and return it."""
        choices = GatewayOptions(verifier=verifier, timeouts=patience or CallTimeouts())
        gateway = Gateway(self._discovery, transport, options=choices)
        await gateway.start()
        self._stack.push_async_callback(gateway.stop)
        house = house or IngressPolicy(compression=GzipResponses(), log=True)
        house.refuse = gateway.refuse
        front = Ingress(gateway, house)
        server = HttpServer(front, HOST, 0, guard=guard, cancels=True, allowed_hosts=None)
        await server.start()
        self._stack.push_async_callback(server.stop, 0.1)
        self.port = server.port
        return gateway

    async def service(self, handler: Handler) -> int:
        """Serve a handler as an instance of "books"; return its port."""
        port = await self._serve(handler)
        await self.ready(port)
        return port

    async def _serve(self, handler: Handler) -> int:
        server = HttpServer(handler, HOST, 0)
        await server.start()
        self._stack.push_async_callback(server.stop, 0.1)
        return server.port

    async def talker(self, talk: Talk) -> int:
        """Serve raw bytes to each connection, as an instance of "books"; return the port."""
        server = await asyncio.start_server(talk, HOST, 0)
        self._stack.callback(server.close)
        port: int = server.sockets[0].getsockname()[1]
        await self.ready(port)
        return port

    async def ready(self, port: int) -> None:
        """Register a ready instance of "books" at a port."""
        self._count += 1
        made = Instance(
            id=f"{self._count:03}", service="books", tags=("books",), address=HOST, port=port, meta=META
        )
        await self._discovery.register(made)

    async def ask(self, request: bytes) -> bytes:
        """Send bytes to the gateway; return what comes until it closes, or until it is cut."""
        async with self.connection() as (reader, writer):
            writer.write(request)
            return await _all(reader)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Connect to the gateway, for as long as a test may take."""
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection(HOST, self.port)
            try:
                yield reader, writer
            finally:
                writer.close()


async def response_to(port: int, request: bytes) -> bytes:
    """Send bytes to a port; return what comes until it closes, or until it is cut."""
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(request)
        found = await _all(reader)
        writer.close()
    return found


async def _all(reader: asyncio.StreamReader) -> bytes:
    found = b""
    try:
        while piece := await reader.read(1 << 16):
            found += piece
    except ConnectionResetError:
        pass
    return found


@asynccontextmanager
async def network() -> AsyncIterator[GatewayOnSockets]:
    """Open nothing yet; close in reverse what was opened."""
    async with AsyncExitStack() as stack:
        yield GatewayOnSockets(stack, LocalDiscovery())


def asks(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """Write a request down, after which the connection closes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: books.localhost", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunk(piece: bytes) -> bytes:
    """Write one chunk of a chunked body down; the empty one is the last."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def status(answer: bytes) -> int:
    """Return the status of raw bytes."""
    return int(answer.split(b" ", 2)[1])
