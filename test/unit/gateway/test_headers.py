"""What headers become on their way through."""

import re
from pathlib import Path

import pytest
from multidict import CIMultiDict

from bookshelf.http.message import BytesBody, Request, Response
from gateway import headers


def onward(*given: tuple[str, str], peer: str = "192.0.2.7") -> CIMultiDict[str]:
    return headers.onward(
        Request("GET", "/bookshelf/books", CIMultiDict(given), BytesBody(), peer), "/bookshelf"
    )


def back(*given: tuple[str, str]) -> CIMultiDict[str]:
    return headers.back(Response(200, CIMultiDict(given)), "/bookshelf")


def documented(word: str) -> list[str]:
    """Return the headers of the table in docs/gateway.md that are treated so when a client sends them."""
    page = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text(encoding="utf-8")
    rows = [row.split("|") for row in page.splitlines() if row.startswith("| `") and f"| {word} |" in row]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row[1])]


#: Identity headers and those between gateway and services.
REMOVED = (
    *("Actor", "Scopes", "Session", "Signature", "Command", "Time-Left", "Try", "Refused", "Admitted"),
    *("Client", "Revision", "Sites", "Bound", "Rebound"),
)


def test_the_table_lists_every_header_that_no_client_may_set() -> None:
    assert sorted(documented("removed")) == sorted(f"Bookshelf-{name}" for name in REMOVED)


@pytest.mark.parametrize("name", documented("removed"))
def test_a_header_that_is_documented_as_removed_does_not_reach_a_service(name: str) -> None:
    for spelt in (name, name.upper(), name.lower(), name.replace("-", "_")):
        found = onward((spelt, "forged"), (spelt, "again"))
        assert spelt not in found
        assert "forged" not in found.values()


@pytest.mark.parametrize("name", documented("forwarded"))
def test_a_header_that_is_documented_as_forwarded_reaches_a_service(name: str) -> None:
    assert onward((name, "t/0@1"))[name] == "t/0@1"


HOP = [
    ("Connection", "keep-alive"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"),
    ("Proxy-Authenticate", "Basic"),
    ("Proxy-Authorization", "Basic eDp5"),
    ("TE", "trailers"),
    ("Trailer", "Expires"),
    ("Transfer-Encoding", "chunked"),
    ("Upgrade", "h2c"),
]


@pytest.mark.parametrize(("name", "value"), HOP)
def test_hop_by_hop_headers_are_removed_in_both_directions(name: str, value: str) -> None:
    assert name not in onward((name.lower(), value))
    assert name not in back((name.upper(), value))


def test_headers_listed_in_connection_are_removed_and_no_others() -> None:
    given = [
        ("Connection", "close, X-Mine"),
        ("Connection", " x-too "),
        ("X-Mine", "1"),
        ("X-Too", "2"),
        ("X", "3"),
    ]
    assert "X-Mine" not in onward(*given)
    assert "X-Too" not in onward(*given)
    assert onward(*given)["X"] == "3"
    assert list(back(*given)) == ["X"]


def test_connection_cannot_remove_headers_that_the_gateway_sets() -> None:
    assert onward(("Connection", "X-Forwarded-For, Via"))["X-Forwarded-For"] == "192.0.2.7"


def test_a_service_receives_client_and_request_headers() -> None:
    found = onward(("Host", "books.example:8000"))
    assert {name: value for name, value in found.items() if name != "Via"} == {
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Host": "books.example:8000",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Prefix": "/bookshelf",
        "Forwarded": 'for=192.0.2.7;proto=http;host="books.example:8000"',
    }


@pytest.mark.parametrize(
    "name",
    [
        *("X-Real-IP", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Ssl", "Proxy", "X-Client-IP"),
        *("X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "Bookshelf-Actor", "True-Client-IP"),
    ],
)
def test_actor_headers_of_a_client_are_removed(name: str) -> None:
    assert name not in onward((name, "forged"))


@pytest.mark.parametrize(
    "name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix"]
)
def test_repeated_actor_headers_of_a_client_are_removed(name: str) -> None:
    assert "forged" not in onward((name, "forged"), (name, "forged"), ("Host", "h")).getall(name)
    assert "forged" not in onward((name, "forged"), peer="").getall(name, [])


def test_forwarding_headers_of_a_client_are_removed() -> None:
    assert "Bookshelf-Command" not in onward(("bookshelf-command", "id"))


def test_via_is_appended() -> None:
    assert onward()["Via"] == "1.1 bookshelf"
    assert onward(("Via", "1.0 cache"))["Via"] == "1.0 cache, 1.1 bookshelf"


def test_a_content_length_beside_a_transfer_encoding_is_removed() -> None:
    assert "Content-Length" not in onward(("Transfer-Encoding", "chunked"), ("Content-Length", "5"))
    assert onward(("Content-Length", "5"))["Content-Length"] == "5"


def test_an_expect_header_is_removed() -> None:
    assert "Expect" not in onward(("Expect", "100-continue"))


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
@pytest.mark.parametrize(
    ("target", "becomes"),
    [
        ("/books/7", "/bookshelf/books/7"),
        ("/", "/bookshelf/"),
        ("https://elsewhere.example/books", "https://elsewhere.example/books"),
        ("//elsewhere.example/books", "//elsewhere.example/books"),
        ("7", "7"),
        ("?after=x", "?after=x"),
    ],
)
def test_a_location_path_gets_the_prefix(name: str, target: str, becomes: str) -> None:
    assert back((name, target))[name] == becomes


def test_link_paths_get_the_prefix() -> None:
    links = '</books?limit=2&after=x>; rel="next", <https://e.example/>; rel="help", <//e.example/>; rel="x"'
    assert back(("Link", links), ("Link", "</>")).getall("Link") == [
        links.replace("</books", "</bookshelf/books"),
        "</bookshelf/>",
    ]


def test_repeated_headers_are_forwarded() -> None:
    given = [("ETag", '"1"'), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Encoding", "gzip")]
    assert list(back(*given).items()) == given


def sent(**more: object) -> CIMultiDict[str]:
    asked = Request("GET", "/bookshelf/books", CIMultiDict(), BytesBody(), "2001:db8::7")
    for name, value in more.items():
        setattr(asked, name, value)
    return headers.onward(asked, "/bookshelf")


def test_a_service_receives_the_scheme_and_an_ipv6_client_address() -> None:
    found = sent(secure=True)
    assert (found["X-Forwarded-Proto"], found["X-Forwarded-For"]) == ("https", "2001:db8::7")
    assert found["Forwarded"] == 'for="[2001:db8::7]";proto=https'


def test_an_invalid_host_is_not_copied_into_forwarded() -> None:
    assert onward(("Host", 'a";for=forged'))["Forwarded"] == "for=192.0.2.7;proto=http"


def test_actor_and_request_id_are_set_by_the_gateway_alone() -> None:
    found = sent(actor="ann", id="r1")
    assert (found["Bookshelf-Actor"], found["X-Request-Id"]) == ("ann", "r1")
    assert not {"Bookshelf-Actor", "X-Request-Id"} & set(sent())


@pytest.mark.parametrize(
    ("given", "passed"), [(f"00-{'a' * 32}-{'b' * 16}-01", True), ("00-x-y-01", False), ("a" * 4000, False)]
)
def test_only_a_valid_trace_is_forwarded(given: str, passed: bool) -> None:  # noqa: FBT001
    assert ("traceparent" in onward(("traceparent", given))) is passed


def test_entity_tags_of_compressed_responses_are_sent_as_the_service_made_them() -> None:
    found = onward(("If-None-Match", '"a--gzip", W/"b--gzip", "c"'), ("If-Match", '"d--gzip"'))
    assert (found["If-None-Match"], found["If-Match"]) == ('"a", W/"b", "c"', '"d"')


def test_date_and_server_headers_are_set_once_by_the_gateway() -> None:
    assert list(back(("Date", "x"), ("Server", "y"), ("ETag", "z"))) == ["ETag"]


def test_a_client_does_not_see_that_a_partition_moves() -> None:
    assert list(back(("Bookshelf-Moving", "3"), ("Retry-After", "1"))) == ["Retry-After"]
