"""How long one request may take in all, although something comes all the time."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.gateway_sockets import GatewayOnSockets, asks, chunk, status
from support.upstream import DEADLINE_S, Service, openapi_document

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Request, Response
from gateway.ingress.middleware import IngressPolicy

BOOKS = openapi_document("books", ("books",), "GET /books", "POST /books")
HEAD = b"POST /bookshelf/books HTTP/1.1\r\nHost: books.localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


async def drips() -> AsyncIterator[bytes]:
    while True:
        yield b"drip"
        await asyncio.sleep(0.01)  # sleep: a little at a time, and never an end


def dripping(kind: str) -> Service:
    async def drip(_request: Request) -> Response:
        return Response(200, {"Content-Type": kind}, drips())

    return Service(BOOKS, drip)


async def opened(
    network: GatewayOnSockets, transport: HttpTransport, service: Service, total_s: float
) -> None:
    await network.service(service)
    await network.open(transport, house=IngressPolicy(total_s=total_s))


async def test_an_endless_request_body_is_aborted(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await opened(network, transport, Service(BOOKS), 0.2)
    async with network.connection() as (reader, writer):
        writer.write(HEAD)
        answered = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
        while not answered.done():
            writer.write(chunk(b"drip"))
            await asyncio.sleep(0.01)  # sleep: as a client that takes its time, but is never silent
        assert status(answered.result()) == 408


async def test_an_endless_response_is_aborted(network: GatewayOnSockets, transport: HttpTransport) -> None:
    await opened(network, transport, dripping("text/plain"), 0.2)
    answer = await network.ask(asks("GET", "/bookshelf/books"))
    assert (status(answer), answer.endswith(chunk(b""))) == (200, False)
    assert b"drip" in answer


@pytest.mark.parametrize(("kind", "total_s"), [("text/event-stream", 0.01), ("text/plain", 0.0)])
async def test_event_streams_and_exchanges_without_a_limit_are_not_aborted(
    network: GatewayOnSockets, transport: HttpTransport, kind: str, total_s: float
) -> None:
    await opened(network, transport, dripping(kind), total_s)
    async with network.connection() as (reader, writer), asyncio.timeout(DEADLINE_S):
        writer.write(asks("GET", "/bookshelf/books"))
        for _ in range(10):
            await reader.readuntil(b"drip")


async def test_an_exchange_within_the_total_timeout_is_complete(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    service = Service(BOOKS)
    await opened(network, transport, service, 5.0)
    async with network.connection() as (reader, writer):
        writer.write(HEAD + chunk(b"all ") + chunk(b"of it") + chunk(b""))
        assert status(await reader.readuntil(b"\r\n\r\n")) == 200
    assert service.bodies == [b"all of it"]
