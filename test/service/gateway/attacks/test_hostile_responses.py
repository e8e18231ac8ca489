"""Services that abort, send malformed responses, or send more than one response."""

import asyncio
import contextlib
import gzip
import socket
import struct
from collections.abc import Callable

import msgspec
import pytest
from support.gateway_sockets import GatewayOnSockets, Talk, asks, chunk, status
from support.upstream import DEADLINE_S, Service, openapi_document

from bookshelf.http.client import HttpTransport
from gateway.upstream.call import CallTimeouts

BOOKS = openapi_document("books", ("books",), "GET /books", "POST /books")
OK = b"HTTP/1.1 200 OK\r\n"
FORGED = OK + b"Content-Length: 6\r\n\r\nforged"
Say = Callable[[asyncio.StreamWriter], None]


def saying(say: Say, *, stays: bool = False) -> Talk:
    """Serve the document; do something else to every other request."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"/openapi.json" in head:
                    document = msgspec.json.encode(BOOKS)
                    writer.write(OK + b"Content-Length: %d\r\n\r\n%b" % (len(document), document))
                else:
                    say(writer)
                    await writer.drain()
                    if not stays:
                        break
        writer.close()

    return talk


def reset(writer: asyncio.StreamWriter) -> None:
    wire = writer.get_extra_info("socket")
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


def responds(content: bytes) -> Say:
    return lambda writer: writer.write(content)


WRONG: dict[str, Say] = {
    "a reset": reset,
    "nothing": responds(b""),
    "noise": responds(b"\0\xff" * 100),
    "half a head": responds(OK + b"X: "),
    "a head without an end": responds(OK + b"X: y\r\n" * 100_000),
    "a header without an end": responds(OK + b"X: " + b"y" * 1_000_000),
    "endless informational responses": responds(b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000),
    "another protocol": responds(b"SSH-2.0-OpenSSH_9\r\n"),
    "length and chunked": responds(
        OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"")
    ),
    "two lengths": responds(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "a header with a bare CR": responds(OK + b"X: a\rSet-Cookie: b=c\r\nContent-Length: 0\r\n\r\n"),
    "a header with a bare LF": responds(OK + b"X: a\nSet-Cookie: b=c\r\nContent-Length: 0\r\n\r\n"),
    "an unrequested switch of protocols": responds(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
}


@pytest.mark.parametrize("say", WRONG.values(), ids=WRONG.keys())
async def test_a_malformed_response_is_a_bad_gateway(
    network: GatewayOnSockets, transport: HttpTransport, say: Say
) -> None:
    await network.talker(saying(say))
    await network.open(transport)
    answer = await network.ask(asks("POST", "/bookshelf/books", body=b"{}"))
    assert status(answer) == 504
    assert b"urn:bookshelf:problem:gateway-timeout" in answer
    assert b"Set-Cookie" not in answer
    assert b"127.0.0.1" not in answer


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_service_that_does_not_answer_is_disconnected_after_the_deadline(
    network: GatewayOnSockets, transport: HttpTransport, method: str
) -> None:
    gone = asyncio.Event()
    silent = saying(responds(b""), stays=True)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent(reader, writer)
        gone.set()

    await network.talker(talk)
    await network.open(transport, patience=CallTimeouts(answer_s=0.1))
    answer = await network.ask(asks(method, "/bookshelf/books", body=b"{}"))
    assert (status(answer), b"problem:gateway-timeout" in answer) == (504, True)
    async with asyncio.timeout(DEADLINE_S):
        await gone.wait()


@pytest.mark.parametrize("behind", [FORGED, b"forged", b"HTTP/1.1 100 Continue\r\n\r\n" + FORGED])
async def test_a_second_response_is_dropped(
    network: GatewayOnSockets, transport: HttpTransport, behind: bytes
) -> None:
    count = 0

    def say(writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        writer.write(OK + b"Content-Length: 1\r\n\r\n%d" % (count % 10) + behind)

    await network.talker(saying(say, stays=True))
    await network.open(transport)
    for n in range(1, 6):
        answer = await network.ask(asks("GET", "/bookshelf/books"))
        assert (status(answer), answer[-1:]) == (200, b"%d" % n)
        assert b"forged" not in answer


async def test_an_answer_to_a_head_request_with_a_body_does_not_leak_into_the_next(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.talker(
        saying(responds(OK + b"Content-Length: %d\r\n\r\n" % len(FORGED) + FORGED), stays=True)
    )
    await network.open(transport)
    for _ in range(3):
        answer = await network.ask(asks("HEAD", "/bookshelf/books"))
        assert status(answer) == 200
        assert answer.endswith(b"\r\n\r\n")
        assert b"forged" not in answer


@pytest.mark.parametrize(
    "value", [b"x\r\nX-Forged: 1", b"x\nX-Forged: 1", b"x\rX-Forged: 1", b"x\0X-Forged: 1"]
)
async def test_header_injection_by_a_client_is_refused(
    network: GatewayOnSockets, transport: HttpTransport, value: bytes
) -> None:
    service = Service(BOOKS)
    await network.service(service)
    await network.open(transport)
    for name in (b"X", b"X-Request-Id", b"traceparent", b"X-Forwarded-For", b"Origin"):
        answer = await network.ask(asks("GET", "/bookshelf/books")[:-2] + name + b": " + value + b"\r\n\r\n")
        assert b"X-Forged" not in answer
    passed = [asked.headers for asked in service.asked]
    # a client that sends two lines has sent two headers; nothing else makes two of one
    assert all(value == b"x\r\nX-Forged: 1" for headers in passed if "X-Forged" in headers)


async def test_a_compression_bomb_is_forwarded_unchanged(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    service = Service(BOOKS)
    await network.service(service)
    await network.open(transport)
    bomb = gzip.compress(bytes(100 << 20), 1)
    sent = asks("POST", "/bookshelf/books", "Content-Encoding: gzip", body=bomb)
    assert status(await network.ask(sent)) == 200
    assert service.bodies == [bomb]
