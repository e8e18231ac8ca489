"""Over real sockets: when one side aborts, the other side is disconnected, and the gateway continues."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest
from support.gateway_sockets import GatewayOnSockets, Talk, asks, chunk, status
from support.upstream import DEADLINE_S, Service, openapi_document

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import BrokenBody, Request, Response, TooLarge
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.server import free_port

BOOKS = openapi_document("books", ("books",), "GET /books", "POST /books")


def answering(*parts: bytes, asked: list[bytes] | None = None) -> Talk:
    """Serve the document; answer anything else with these bytes, then cut the connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/openapi.json" in head:
            document = msgspec.json.encode(BOOKS)
            writer.write(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(document)
                + document
            )
        else:
            if asked is not None:
                asked.append(head)
            writer.writelines(parts)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    return talk


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"only this"),
    ],
)
async def test_an_aborted_response_is_visibly_incomplete(
    network: GatewayOnSockets, transport: HttpTransport, content: bytes
) -> None:
    await network.talker(answering(content))
    await network.open(transport)
    found = await network.ask(asks("GET", "/bookshelf/books"))
    assert status(found) == 200
    head, _, body = found.partition(b"\r\n\r\n")
    assert b"only this" in body
    assert b"Content-Length: 100" in head or not body.endswith(chunk(b""))


@pytest.mark.parametrize(
    "content",
    [b"", b"HTTP/1.1 200 OK\r\nX:", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
)
async def test_a_command_whose_response_is_lost_is_sent_once(
    network: GatewayOnSockets, transport: HttpTransport, content: bytes
) -> None:
    asked: list[bytes] = []
    for _ in range(2):
        await network.talker(answering(content, asked=asked))
    await network.open(transport)
    found = await network.ask(asks("POST", "/bookshelf/books", "Idempotency-Key: k", body=b"{}"))
    assert (status(found), len(asked)) == (504, 1)
    assert b"application/problem+json" in found


async def test_a_query_whose_response_is_lost_is_sent_to_another_instance(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.talker(answering(b""))
    await network.service(Service(BOOKS, Response(200, {}, b"here")))
    await network.open(transport)
    for _ in range(2):
        assert (await network.ask(asks("GET", "/bookshelf/books"))).endswith(b"here")


async def test_a_refused_connection_is_retried_elsewhere(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    service = Service(BOOKS)
    await network.service(service)
    await network.open(transport)
    await network.ready(free_port())
    for body in (b"{}", b"x" * 200_000):
        for _ in range(2):
            assert status(await network.ask(asks("POST", "/bookshelf/books", body=body))) == 200
    assert [len(body) for body in service.bodies] == [2, 2, 200_000, 200_000]


async def test_an_aborted_upload_is_not_forwarded_as_complete(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    ends: asyncio.Queue[Exception | None] = asyncio.Queue()
    begun = asyncio.Event()

    async def listen(request: Request) -> Response:
        try:
            async for _ in request.body.stream():
                begun.set()
        except BrokenBody as fault:
            ends.put_nowait(fault)
            raise
        ends.put_nowait(None)
        return Response(200, {})

    await network.service(Service(BOOKS, listen))
    await network.open(transport)
    for start in (
        asks("POST", "/bookshelf/books", "Transfer-Encoding: chunked") + chunk(b"half"),
        asks("POST", "/bookshelf/books", "Content-Length: 200000") + b"half",
    ):
        begun.clear()
        async with network.connection() as (_, writer):
            writer.write(start)
            await begun.wait()
        async with asyncio.timeout(DEADLINE_S):
            assert isinstance(await ends.get(), BrokenBody)


async def test_a_client_that_disconnects_cancels_the_response(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            ended.set()

    async def answer_endlessly(_request: Request) -> Response:
        return Response(200, {}, endless())

    await network.service(Service(BOOKS, answer_endlessly))
    await network.open(transport)
    async with network.connection() as (reader, writer):
        writer.write(asks("GET", "/bookshelf/books"))
        await reader.readexactly(1000)
    async with asyncio.timeout(DEADLINE_S):
        await ended.wait()


@pytest.mark.parametrize("chunked", [True, False])
async def test_an_early_refusal_of_a_body_is_forwarded(
    network: GatewayOnSockets,
    transport: HttpTransport,
    chunked: bool,  # noqa: FBT001
) -> None:
    async def refuse(request: Request) -> Response:
        try:
            await request.body.read(1 << 20)
        except TooLarge as fault:
            return problem_response(Problem("too-large", str(fault)))
        return Response(200, {})

    await network.service(Service(BOOKS, refuse))
    await network.open(transport)
    big = b"x" * (4 << 20)
    with_length = asks("POST", "/bookshelf/books", body=big)
    in_chunks = asks("POST", "/bookshelf/books", "Transfer-Encoding: chunked") + chunk(big) + chunk(b"")
    for _ in range(3):
        assert status(await network.ask(in_chunks if chunked else with_length)) == 413
    assert status(await network.ask(asks("POST", "/bookshelf/books", body=b"small"))) == 200
