"""The same over real sockets: framing, streaming, and the bytes of a request line."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from multidict import CIMultiDict
from support.gateway_sockets import GatewayOnSockets, asks, chunk, status
from support.upstream import Service, openapi_document, pieces

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Request, Response

BOOKS = openapi_document(
    "books", ("books",), "GET /books", "POST /books", "GET /books/{id}", "DELETE /books/{id}"
)
MANY = 8 << 20


async def opened(network: GatewayOnSockets, transport: HttpTransport, service: Service) -> Service:
    await network.service(service)
    await network.open(transport)
    return service


async def test_hop_by_hop_headers_are_not_forwarded(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    headers = {"Keep-Alive": "timeout=5", "X-Hop": "1", "Connection": "X-Hop", "X-End": "2"}
    service = await opened(network, transport, Service(BOOKS, Response(200, headers, b"ok")))
    sent = ["Connection: X-Mine", "X-Mine: 1", "TE: trailers", "Proxy-Authorization: x", "X-Yours: 2"]
    answer = await network.ask(asks("GET", "/bookshelf/books", *sent))
    seen = service.asked[0].headers
    assert not {"X-Mine", "TE", "Proxy-Authorization", "Connection"} & set(seen)
    assert (seen["X-Yours"], seen["X-Forwarded-For"], seen["X-Forwarded-Host"]) == (
        "2",
        "127.0.0.1",
        "books.localhost",
    )
    assert seen["Host"].startswith("127.0.0.1:")
    assert b"X-End: 2" in answer
    assert b"X-Hop" not in answer
    assert b"Keep-Alive" not in answer


@pytest.mark.parametrize(
    "path", ["/books/..", "/books/%2e%2e", "/books/a%2Fb", "/books/a;b", "/books?q=/../%20&&=?"]
)
async def test_a_path_is_forwarded_byte_for_byte(
    network: GatewayOnSockets, transport: HttpTransport, path: str
) -> None:
    service = await opened(network, transport, Service(BOOKS))
    assert status(await network.ask(asks("GET", "/bookshelf" + path))) == 200
    assert service.asked[0].target == path


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://127.0.0.1/bookshelf/books", 400),
        ("http://elsewhere.example/bookshelf/books", 400),
        ("*", 400),
        ("//bookshelf/books", 404),
        ("/bookshelf//books", 404),
        ("/bookshelf/../books", 404),
        ("/bookshelf/%2e%2e/metrics", 404),
        ("/bookshelf/\xff\xfe", 400),
        ("/bookshelf/books#x", 400),
    ],
)
async def test_an_ambiguous_target_reaches_no_service(
    network: GatewayOnSockets, transport: HttpTransport, target: str, expected: int
) -> None:
    service = await opened(network, transport, Service(BOOKS))
    assert status(await network.ask(asks("GET", target))) == expected
    assert service.asked == []


async def test_a_body_is_forwarded_with_a_length_or_in_chunks(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    service = await opened(network, transport, Service(BOOKS))
    big = b"0123456789abcdef" * (MANY // 16)
    chunked = asks("POST", "/bookshelf/books", "Transfer-Encoding: chunked")
    for request in (
        asks("POST", "/bookshelf/books"),
        asks("POST", "/bookshelf/books", body=b"short"),
        asks("POST", "/bookshelf/books", body=big),
        chunked + chunk(b"in ") + chunk(b"chunks") + chunk(b""),
        chunked + chunk(big) + chunk(b""),
        asks("DELETE", "/bookshelf/books/7", body=b"why"),
    ):
        assert status(await network.ask(request)) == 200
    assert service.bodies == [b"", b"short", big, b"in chunks", big, b"why"]
    # what was here whole has a length from here on
    assert [asked.headers.get("Transfer-Encoding") for asked in service.asked] == [
        *[None] * 4,
        "chunked",
        None,
    ]


async def test_a_length_and_a_transfer_encoding_together_are_refused(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    service = await opened(network, transport, Service(BOOKS))
    both = asks(
        "POST", "/bookshelf/books", "Transfer-Encoding: chunked", body=b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
    )
    assert status(await network.ask(both)) == 400
    assert service.asked == []


async def test_an_upload_is_streamed(network: GatewayOnSockets, transport: HttpTransport) -> None:
    first = asyncio.Event()

    async def listen(request: Request) -> Response:
        heard = []
        async for piece in request.body.stream():
            heard.append(piece)
            first.set()
        return Response(200, {}, b"".join(heard))

    await opened(network, transport, Service(BOOKS, listen))
    async with network.connection() as (reader, writer):
        writer.write(asks("POST", "/bookshelf/books", "Transfer-Encoding: chunked") + chunk(b"a"))
        await first.wait()  # before the second is sent
        writer.write(chunk(b"b") + chunk(b""))
        assert (await reader.read()).endswith(b"ab")


async def test_a_download_is_streamed(network: GatewayOnSockets, transport: HttpTransport) -> None:
    more = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await more.wait()
        yield b"second"

    await opened(network, transport, Service(BOOKS, Response(200, {}, body())))
    async with network.connection() as (reader, writer):
        writer.write(asks("GET", "/bookshelf/books"))
        assert b"first" in await reader.readuntil(b"first")  # before the second is made
        more.set()
        assert b"second" in await reader.read()


@pytest.mark.parametrize("headers", [{}, {"Content-Length": str(MANY)}])
async def test_a_large_response_is_complete(
    network: GatewayOnSockets, transport: HttpTransport, headers: dict[str, str]
) -> None:
    parts = [bytes([number]) * 65536 for number in range(128)]
    await opened(network, transport, Service(BOOKS, Response(200, headers, pieces(*parts))))
    answer = await network.ask(asks("GET", "/bookshelf/books").replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert answer.partition(b"\r\n\r\n")[2] == b"".join(parts)


async def test_compressed_responses_stay_compressed(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    content = gzip.compress(b"books" * 1000)
    await opened(network, transport, Service(BOOKS, Response(200, {"Content-Encoding": "gzip"}, content)))
    answer = await network.ask(asks("GET", "/bookshelf/books", "Accept-Encoding: gzip"))
    assert answer.endswith(content)
    assert b"Content-Encoding: gzip" in answer


@pytest.mark.parametrize(
    ("method", "code", "headers"),
    [("HEAD", 200, {"Content-Length": "42"}), ("GET", 304, {"ETag": '"1"'}), ("DELETE", 204, {})],
)
async def test_responses_without_a_body_end_at_once(
    network: GatewayOnSockets, transport: HttpTransport, method: str, code: int, headers: dict[str, str]
) -> None:
    await opened(network, transport, Service(BOOKS, Response(code, headers)))
    answer = await network.ask(asks(method, "/bookshelf/books/7"))
    assert status(answer) == code
    assert answer.endswith(b"\r\n\r\n")
    assert all(f"{name}: {value}".lower().encode() in answer.lower() for name, value in headers.items())
    assert b"chunked" not in answer


async def test_a_repeated_header_is_forwarded_repeated(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    headers = CIMultiDict([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    service = await opened(network, transport, Service(BOOKS, Response(200, headers)))
    answer = await network.ask(asks("GET", "/bookshelf/books", "X: 1", "X: 2"))
    assert (answer.count(b"Set-Cookie: "), service.asked[0].headers.getall("X")) == (2, ["1", "2"])


@pytest.mark.parametrize("header", ["Expect: 100-continue", "Upgrade: h2c", "X: \xff\xfe"])
async def test_an_unsupported_upgrade_is_answered_as_a_plain_request(
    network: GatewayOnSockets, transport: HttpTransport, header: str
) -> None:
    service = await opened(network, transport, Service(BOOKS))
    assert (
        status(
            (await network.ask(asks("POST", "/bookshelf/books", header, body=b"x"))).split(
                b"100 Continue\r\n\r\n"
            )[-1]
        )
        == 200
    )
    assert service.bodies == [b"x"]
