"""Security headers of responses, the access log, and other origins (CORS)."""

import gzip

import pytest
import structlog
from support.gateway_sockets import GatewayOnSockets, asks, status
from support.upstream import Service, openapi_document

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Response
from gateway.ingress.middleware import Cors, IngressPolicy

BOOKS = openapi_document("books", ("books",), "GET /books", "POST /books", "OPTIONS /own")
ORIGIN = "https://pages.example"
PREFLIGHT = (f"Origin: {ORIGIN}", "Access-Control-Request-Method: POST")


def head(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[0].lower()


@pytest.mark.parametrize("path", ["/bookshelf/books", "/nothing", "/apidocs/", "/health/live"])
async def test_every_response_has_security_headers(
    network: GatewayOnSockets, transport: HttpTransport, path: str
) -> None:
    await network.service(Service(BOOKS))
    await network.open(transport)
    expected = head(await network.ask(asks("GET", path)))
    for line in (
        b"x-content-type-options: nosniff",
        b"referrer-policy: no-referrer",
        b"x-frame-options: deny",
    ):
        assert expected.count(line) == 1
    assert b"strict-transport-security" not in expected


async def test_a_service_may_replace_security_headers(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.service(Service(BOOKS, Response(200, {"X-Frame-Options": "SAMEORIGIN"})))
    await network.open(transport)
    expected = head(await network.ask(asks("GET", "/bookshelf/books")))
    assert (b"x-frame-options: sameorigin" in expected, b"deny" in expected) == (True, False)


async def test_without_the_setting_no_other_origin_is_allowed(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.service(Service(BOOKS))
    await network.open(transport)
    answer = await network.ask(asks("OPTIONS", "/bookshelf/books", *PREFLIGHT))
    assert status(answer) == 405
    assert b"access-control" not in head(answer)
    assert b"access-control" not in head(await network.ask(asks("GET", "/bookshelf/books", PREFLIGHT[0])))


@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        (ORIGIN, ORIGIN, ORIGIN),
        ("*", ORIGIN, "*"),
        (ORIGIN, "https://evil.example", None),
        (ORIGIN, ORIGIN + ".evil.example", None),
        (ORIGIN, "null", None),
    ],
)
async def test_an_allowed_origin_gets_cors_headers(
    network: GatewayOnSockets, transport: HttpTransport, allowed: str, origin: str, expected: str | None
) -> None:
    service = Service(BOOKS)
    await network.service(service)
    await network.open(transport, IngressPolicy(cors=Cors([allowed])))
    before = await network.ask(asks("OPTIONS", "/bookshelf/books", f"Origin: {origin}", PREFLIGHT[1]))
    assert status(before) == (204 if expected else 405)
    assert service.asked == []
    for answer in (before, await network.ask(asks("GET", "/bookshelf/books", f"Origin: {origin}"))):
        line = f"access-control-allow-origin: {expected}\r\n".encode()
        assert (line in head(answer) + b"\r\n") is (expected is not None)
        assert b"access-control-allow-credentials" not in head(answer)
        assert (b"vary: origin" in head(answer)) is (allowed != "*")


async def test_a_compressed_response_has_the_same_content_and_a_usable_tag(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    text = b"a book, " * 1000
    service = Service(BOOKS, Response(200, {"Content-Type": "text/plain", "ETag": '"3"'}, text))
    await network.service(service)
    await network.open(transport)
    answer = await network.ask(asks("GET", "/bookshelf/books", "Accept-Encoding: gzip"))
    assert gzip.decompress(answer.partition(b"\r\n\r\n")[2]) == text
    assert b'etag: "3--gzip"' in head(answer)
    await network.ask(asks("GET", "/bookshelf/books", 'If-None-Match: "3--gzip"'))
    assert service.asked[1].headers["If-None-Match"] == '"3"'


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("client-made.1", True),
        ("short", False),
        ("x" * 129, False),
        ("a b c d e f g", False),
        ("é" * 10, False),
    ],
)
async def test_a_request_id_is_in_the_response_the_service_and_the_log(
    network: GatewayOnSockets,
    transport: HttpTransport,
    given: str,
    kept: bool,  # noqa: FBT001
) -> None:
    service = Service(BOOKS)
    await network.service(service)
    await network.open(transport)
    answer = await network.ask(asks("GET", "/bookshelf/books", f"X-Request-Id: {given}"))
    heard = service.asked[0].headers.getall("X-Request-Id")
    assert f"x-request-id: {heard[0]}\r\n".lower().encode() in head(answer) + b"\r\n"
    assert (heard == [given]) is kept
    assert len(heard) == 1


async def test_the_access_log_has_a_line_for_each_request_without_secrets(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.service(Service(BOOKS))
    await network.open(transport, IngressPolicy(log=True))
    secret = ("Authorization: Bearer s3cret", "Cookie: s3cret=1", "Idempotency-Key: s3cret-key")
    with structlog.testing.capture_logs() as lines:
        await network.ask(asks("POST", "/bookshelf/books?token=s3cret", *secret, body=b"s3cret"))
        await network.ask(asks("GET", "/nothing?s3cret"))
    mine = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in mine] == [
        ("POST", "/bookshelf/books", 200),
        ("GET", "/nothing", 404),
    ]
    assert all(line["client"] == "127.0.0.1" and line["id"] and line["ms"] >= 0 for line in mine)
    assert "s3cret" not in str(lines)


async def test_the_access_log_has_the_trace_that_the_service_receives(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    service = Service(BOOKS)
    await network.service(service)
    await network.open(transport, IngressPolicy(log=True))
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with structlog.testing.capture_logs() as lines:
        await network.ask(asks("GET", "/bookshelf/books", f"traceparent: {given}", "tracestate: a=1"))
        await network.ask(asks("GET", "/bookshelf/books"))
    traces = [line["trace"] for line in lines if line["event"] == "request"]
    sent = [asked.headers["traceparent"] for asked in service.asked]
    assert sent[0] == given
    assert service.asked[0].headers["tracestate"] == "a=1"
    assert [one.split("-")[1] for one in sent] == traces
    assert traces[0] != traces[1]
