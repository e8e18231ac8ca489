"""Over real sockets: a stream of events passes the gateway message by message, and ends with its client."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from support.gateway_sockets import GatewayOnSockets, asks
from support.upstream import openapi_document

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Request, Response
from gateway.ingress.compression import GzipResponses
from gateway.ingress.middleware import IngressPolicy

CHANGES = openapi_document("books", ("books",), "GET /changes/events")
LONG = b"x" * 4000


class Changes:
    """Serves its document and a stream; each message waits until a test asks for it."""

    def __init__(self) -> None:
        self.next = asyncio.Event()
        self.ended = asyncio.Event()
        self.last = ""

    async def handle(self, request: Request) -> Response:
        if request.target == "/openapi.json":
            return Response(200, {"Content-Type": "application/json"}, msgspec.json.encode(CHANGES))
        self.last = request.headers.get("Last-Event-ID", "")
        return Response(200, {"Content-Type": "text/event-stream"}, self._messages())

    async def _messages(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: %b\n\n" % LONG
                await self.next.wait()
                self.next.clear()
        finally:
            self.ended.set()


async def test_a_stream_is_neither_held_back_nor_compressed_nor_cut_by_the_total_timeout(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    changes = Changes()
    await network.service(changes)
    await network.open(transport, IngressPolicy(compression=GzipResponses(), total_s=0.05))
    headers = ("Accept-Encoding: gzip", "Last-Event-ID: bookshelf/0@42")
    async with network.connection() as (reader, writer):
        writer.write(asks("GET", "/bookshelf/changes/events", *headers))
        head = await reader.readuntil(b"\r\n\r\n")
        assert (b"text/event-stream" in head, b"gzip" in head) == (True, False)
        await reader.readuntil(LONG + b"\n\n")
        await asyncio.sleep(0.1)  # sleep: longer than the total timeout
        changes.next.set()
        await reader.readuntil(LONG + b"\n\n")
        assert changes.last == "bookshelf/0@42"
    async with asyncio.timeout(30):
        await changes.ended.wait()
