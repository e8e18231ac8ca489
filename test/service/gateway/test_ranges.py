"""Parts of what a service has: asked for, answered and refused through the gateway, and never compressed."""

import pytest
from support.gateway_sockets import GatewayOnSockets, asks, status
from support.upstream import Service, openapi_document

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Request, Response

BOOKS = openapi_document("books", ("books",), "GET /books")
TEXT = b"0123456789" * 1000
KIND = {"Content-Type": "text/plain", "ETag": '"3"', "Accept-Ranges": "bytes"}
WHOLE = Response(200, KIND, TEXT)
PARTS = {"Content-Type": "multipart/byteranges; boundary=x"}


async def parts(request: Request) -> Response:
    """Answer the range of this test by RFC 9110, 14."""
    wanted, tag = request.headers.get("Range"), request.headers.get("If-Range", '"3"')
    if wanted is None or tag != '"3"':
        return WHOLE
    if wanted == "bytes=0-1,5-6":
        return Response(206, PARTS, b"--x\r\n" + TEXT)
    first, last = map(int, wanted.removeprefix("bytes=").split("-"))
    if first >= len(TEXT):
        return Response(416, {**KIND, "Content-Range": f"bytes */{len(TEXT)}"}, b"no such part; " * 200)
    expected = {**KIND, "Content-Range": f"bytes {first}-{last}/{len(TEXT)}"}
    return Response(206, expected, TEXT[first : last + 1])


@pytest.fixture
async def service(network: GatewayOnSockets, transport: HttpTransport) -> Service:
    made = Service(BOOKS, parts)
    await network.service(made)
    await network.open(transport)
    return made


def wants(*headers: str) -> bytes:
    return asks("GET", "/bookshelf/books", "Accept-Encoding: gzip", *headers)


@pytest.mark.parametrize(
    ("headers", "code", "body", "expected"),
    [
        (("Range: bytes=3-5",), 206, b"345", b"Content-Range: bytes 3-5/10000"),
        (("Range: bytes=0-4999",), 206, TEXT[:5000], b"Content-Range: bytes 0-4999/10000"),
        (("Range: bytes=0-1,5-6",), 206, b"--x\r\n" + TEXT, b"multipart/byteranges"),
        (("Range: bytes=99999-99999",), 416, b"no such part; " * 200, b"Content-Range: bytes */10000"),
        (("Range: bytes=3-5", 'If-Range: "3"'), 206, b"345", b"Content-Range: bytes 3-5/10000"),
        (("Range: bytes=3-5", 'If-Range: "2"'), 200, TEXT, b'ETag: "3"'),
    ],
)
async def test_a_range_response_is_forwarded_unchanged(
    network: GatewayOnSockets,
    service: Service,
    headers: tuple[str, ...],
    code: int,
    body: bytes,
    expected: bytes,
) -> None:
    answer = await network.ask(wants(*headers))
    assert (status(answer), answer.partition(b"\r\n\r\n")[2]) == (code, body)
    assert expected in answer
    assert b"Content-Encoding" not in answer
    assert len(service.asked) == 1


async def test_a_client_with_a_compressed_copy_gets_the_whole_response_and_no_range(
    network: GatewayOnSockets, service: Service
) -> None:
    first = await network.ask(wants())
    assert b"Content-Encoding: gzip" in first
    assert b'ETag: "3--gzip"' in first
    answer = await network.ask(wants("Range: bytes=3-5", 'If-Range: "3--gzip"'))
    assert (status(answer), answer.partition(b"\r\n\r\n")[2]) == (200, TEXT)
    assert len(service.asked) == 2
