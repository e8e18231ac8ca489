"""Which requests are refused because a page of another origin may have made them."""

import socket

import pytest
from multidict import CIMultiDict

from bookshelf.http.message import Body, BytesBody, Request, Response
from bookshelf.http.problem import Problem
from bookshelf.http.request_check import (
    CheckedHandler,
    OwnNames,
    RequestCheck,
    parse_allowed_hosts,
)
from bookshelf.http.request_parser import UpgradedStream


class Names(OwnNames):
    def __init__(self) -> None:
        self.names = {"shelf", "shelf.local", "shelf.home.example"}


CHECK = RequestCheck(["books.example", "*.reading.example"], Names())


def refused(
    *headers: tuple[str, str],
    method: str = "POST",
    target: str = "/books",
    secure: bool = False,
    body: Body | None = None,
    cors: frozenset[str] = frozenset(),
) -> str | None:
    asked = Request(method, target, CIMultiDict(headers), body or BytesBody(), secure=secure)
    try:
        CHECK.admit(asked, cors.__contains__)
    except Problem as refusal:
        return refusal.kind
    return None


ALLOWED = [
    *("localhost", "LOCALHOST", "localhost.", "localhost:8000", "a.b.localhost:1"),
    *("127.0.0.1", "127.0.0.1:8000", "192.168.1.5", "[::1]", "[::1]:8000", "[fe80::1]:8", "0.0.0.0:8000"),
    *("shelf", "Shelf:8000", "shelf.local", "shelf.home.example.", ""),
    *("books.example", "BOOKS.example:443", "books.example.", "my.reading.example"),
]
FOREIGN = [
    *("evil.example", "books.example.evil.example", "notbooks.example", "reading.example", "localhost.evil"),
    *("evillocalhost", "127.0.0.1.evil.example", "127.1", "0x7f000001", "[evil]", "shelf.evil"),
]


@pytest.mark.parametrize("host", ALLOWED)
def test_a_request_to_one_of_our_names_is_admitted(host: str) -> None:
    assert refused(("Host", host), method="GET") is None


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_request_to_another_name_is_refused(host: str, method: str) -> None:
    assert refused(("Host", host), method=method) == "misdirected"


def test_the_refusal_names_the_setting_and_its_value() -> None:
    with pytest.raises(Problem, match=r"'evil\.example'.*BOOKSHELF_ALLOWED_HOSTS=evil\.example"):
        CHECK.admit(Request("GET", "/", CIMultiDict({"Host": "evil.example:80"}), BytesBody()))


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready?x", "/metrics"])
def test_health_and_metrics_are_answered_to_any_name(path: str) -> None:
    assert refused(("Host", "evil.example"), method="GET", target=path) is None
    assert refused(("Host", "evil.example"), method="POST", target=path) == "misdirected"


HOST = ("Host", "localhost:8000")
CROSS = [
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "same-site")],
    [("Sec-Fetch-Site", "cross-site"), ("Origin", "http://localhost:8000")],
    [("Sec-Fetch-Site", "whatever")],
    *[
        [("Origin", origin)]
        for origin in (
            *("null", "", "https://localhost:8000", "http://localhost:8001", "http://localhost"),
            *("http://evil.example", "http://localhost:8000.evil.example", "localhost:8000", "http://"),
        )
    ],
    [("Cookie", "a=1; session=x")],
    [("Cookie", "__Host-session=x")],
]


@pytest.mark.parametrize("headers", CROSS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_a_change_from_a_page_of_another_origin_is_refused(
    headers: list[tuple[str, str]], method: str
) -> None:
    assert refused(HOST, *headers, method=method) == "cross-origin"


@pytest.mark.parametrize("headers", CROSS[:-2])
def test_a_websocket_from_another_origin_is_refused_and_a_plain_get_is_not(
    headers: list[tuple[str, str]],
) -> None:
    assert refused(HOST, *headers, method="GET", body=UpgradedStream(lambda: None)) == "cross-origin"
    assert refused(HOST, *headers, method="GET") is None


OWN = [
    [("Sec-Fetch-Site", "same-origin")],
    [("Sec-Fetch-Site", "same-origin"), ("Origin", "https://rewritten.example"), ("Cookie", "session=x")],
    [("Sec-Fetch-Site", "none")],
    [("Origin", "http://localhost:8000")],
    [("Origin", "HTTP://LocalHost:8000")],
    [],
    [("Cookie", "bookshelf-after-shelf-0=17.1; other=1")],
]


@pytest.mark.parametrize("headers", OWN)
def test_own_pages_and_programs_may_make_changes(headers: list[tuple[str, str]]) -> None:
    assert refused(HOST, *headers) is None


@pytest.mark.parametrize(
    ("host", "origin", "secure"),
    [
        ("books.example", "https://books.example", True),
        ("books.example:443", "https://books.example", True),
        ("books.example", "http://books.example:80", False),
        ("[::1]:8", "http://[::1]:8", False),
    ],
)
def test_a_missing_port_is_that_of_the_scheme(host: str, origin: str, *, secure: bool) -> None:
    assert refused(("Host", host), ("Origin", origin), secure=secure) is None
    assert refused(("Host", host), ("Origin", origin), secure=not secure) == "cross-origin"


def test_an_origin_that_cors_allows_is_admitted_without_a_session_only() -> None:
    origin = ("Origin", "https://pages.example")
    cors = frozenset({"https://pages.example"})
    assert refused(HOST, origin, ("Sec-Fetch-Site", "cross-site"), cors=cors) is None
    assert refused(HOST, origin, ("Cookie", "session=x"), cors=cors) == "cross-origin"


async def test_a_refused_request_does_not_reach_the_handler() -> None:
    class Never:
        async def handle(self, request: Request) -> Response:
            raise AssertionError(request)

    response = await CheckedHandler(Never(), CHECK).handle(
        Request("GET", "/", CIMultiDict({"Host": "evil.example"}), BytesBody())
    )
    assert (response.status, response.headers["Content-Type"]) == (421, "application/problem+json")


def test_the_setting_has_names_separated_by_commas() -> None:
    found = parse_allowed_hosts(" Books.example:8000, *.reading.example ,,::1,")
    assert found == ["books.example", "*.reading.example", "::1"]


@pytest.mark.parametrize("wrong", ["http://books.example", "*", "a b", "books.*", "a/b", "*.", "ü.example"])
def test_a_setting_that_is_no_list_of_names_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no host name"):
        parse_allowed_hosts(wrong)


def test_the_names_of_this_machine_are_allowed() -> None:
    name = socket.gethostname()
    for host in (name, f"{name.partition('.')[0]}.local:8000"):
        RequestCheck().admit(Request("GET", "/", CIMultiDict({"Host": host}), BytesBody()))
