"""What no client library would send: answered 4xx as problem details, or cut off; never a defect."""

import pytest
from support.program import Program
from support.raw_connection import Conversation, exchange, reply

BODY = b'{"title": "Kim", "author": "x"}'
POST = b"POST /bookshelf/books HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CLOSE = b"Connection: close\r\n"


@pytest.mark.parametrize(
    "target",
    [
        "*",
        "books",
        "http://example.com/bookshelf/books",
        "//example.com/bookshelf/books",
        "/bookshelf/books#part",
        "/bookshelf/../openapi.json",
        "/bookshelf/%2e%2e/openapi.json",
        "/bookshelf/health/live",
        "/bookshelf/metrics",
        "/bookshelf/books/%ff",
        "/bookshelf/books/%00",
        "/bookshelf/books/%2F..%2F",
        "/bookshelf/books/%0d%0aSet-Cookie:%20a=b",
        "/bookshelf/b\xc3\xb6oks",
        "\\bookshelf\\books",
        "/apidocs/../../../etc/passwd",
        "/apidocs/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_a_target_that_no_browser_sends(running: Program, target: str) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("latin-1")
    answer = reply(running.client, request)
    assert 400 <= answer.status < 500
    assert answer.problem


@pytest.mark.parametrize(
    "request_",
    [
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"BREW /bookshelf/books HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
        b"\x00" * 1000 + b"\r\n\r\n",
        POST + b"Content-Length: x\r\n\r\n" + BODY,
        POST + b"Content-Length: -1\r\n\r\n" + BODY,
        POST + b"Content-Length: 31\r\nContent-Length: 32\r\n\r\n" + BODY,
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 31\r\n\r\n" + BODY,
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY,
        POST + b"Transfer-Encoding: rot13\r\n\r\n" + BODY,
    ],
)
def test_what_is_no_http(running: Program, request_: bytes) -> None:
    for door in (running.client, running.service("newbook")):
        answer = exchange(door, request_, end=True)
        if answer:
            status = int(answer.split(b" ", 2)[1])
            assert 400 <= status < 500, answer[:500]
            assert b"application/problem+json" in answer
        assert b"Traceback" not in answer
        assert running.client.get("/books").status == 200


@pytest.mark.parametrize("service", ["gateway", "newbook"])
def test_a_body_that_breaks_off_adds_nothing(running: Program, service: str) -> None:
    door = running.client if service == "gateway" else running.service(service)
    before = len(running.client.every_book())
    path = b"/bookshelf/books" if service == "gateway" else b"/books"
    for framing in (
        b"Content-Length: 1000\r\n\r\n" + BODY,
        b"Transfer-Encoding: chunked\r\n\r\n1f\r\n" + BODY,
    ):
        head = POST.replace(b"/bookshelf/books", path) + framing
        answer = exchange(door, head, end=True)
        assert not answer or answer.split(b" ", 2)[1] in {b"400", b"408"}, answer
    assert len(running.client.every_book()) == before


def test_a_body_in_pieces(running: Program) -> None:
    pieces = b"".join(b"%x\r\n%s\r\n" % (1, BODY[n : n + 1]) for n in range(len(BODY)))
    answer = reply(
        running.client, POST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    )
    assert (answer.status, answer.json["title"]) == (201, "Kim")


def test_an_endless_body_is_cut_off(running: Program) -> None:
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = POST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = reply(running.client, head + piece * 20 + b"0\r\n\r\n")
    assert (answer.status, answer.problem) == (413, "too-large")


def test_a_client_of_http_1_0(running: Program) -> None:
    answer = reply(running.client, b"GET /bookshelf/books?limit=1 HTTP/1.0\r\n\r\n")
    assert answer.status == 200


def test_two_requests_at_once_on_one_connection(running: Program) -> None:
    one = POST + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    last = one.replace(b"Host: localhost\r\n", b"Host: localhost\r\n" + CLOSE)
    answers = exchange(running.client, one + last, until_closed=True)
    assert answers.count(b"HTTP/1.1 201") == 2


def test_expect_continue_is_answered_100(running: Program) -> None:
    head = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    with Conversation(running.client) as there:
        assert there.hear(POST + CLOSE + head).startswith(b"HTTP/1.1 100 ")
        assert b"HTTP/1.1 201 " in there.hear(BODY)


def test_expect_continue_with_an_unsupported_body_is_refused(running: Program) -> None:
    head = b"Expect: 100-continue\r\nContent-Length: 10\r\nContent-Encoding: gzip\r\n\r\n"
    with Conversation(running.service("newbook")) as there:
        said = there.hear(POST.replace(b"/bookshelf", b"") + CLOSE + head)
        assert said.startswith((b"HTTP/1.1 100 ", b"HTTP/1.1 415 "))


@pytest.mark.parametrize("name", ["Connection", "X-Forwarded-Prefix", "Proxy"])
def test_headers_of_the_hop_are_the_client_s_to_send(running: Program, name: str) -> None:
    answer = running.client.ask("GET", "/books?limit=1", **{name: "x, Idempotency-Key, Cookie"})
    assert answer.status == 200
    assert "transfer-encoding" not in answer.headers
