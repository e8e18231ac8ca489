"""What an asking side takes for an answer, and after which it uses the connection again."""

import pytest

from bookshelf.http.client_connection import BadResponse, ResponseParser

OK = b"HTTP/1.1 200 OK\r\n"


def parsed(*parts: bytes, head_only: bool = False, upgrades: bool = False) -> ResponseParser:
    answer = ResponseParser(head_only=head_only, upgrades=upgrades)
    for part in parts:
        answer.feed(part)
    return answer


def body(answer: ResponseParser) -> bytes:
    return b"".join(answer.pieces)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_response_is_parsed_the_same_however_it_is_split(size: int) -> None:
    content = (
        OK + b"X: 1\r\nX: 2\r\nTransfer-Encoding: chunked\r\n\r\n3;e=1\r\nabc\r\n2\r\nde\r\n0\r\nT: t\r\n\r\n"
    )
    answer = parsed(*(content[at : at + size] for at in range(0, len(content), size)))
    assert (answer.status, body(answer), answer.done, answer.kept) == (200, b"abcde", True, True)
    assert answer.headers.getall("X") == ["1", "2"]
    assert "T" not in answer.headers


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1, 1\r\n\r\na",
        OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        OK + b"X : a\r\nContent-Length: 0\r\n\r\n",
        OK + b"X: a\nContent-Length: 0\r\n\r\n",
        OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
        OK + b"X: y\r\n" * 202,
        OK + b"X: " + b"y" * 70_000,
        b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
def test_a_malformed_response_is_rejected(content: bytes) -> None:
    with pytest.raises(BadResponse):
        parsed(content)


@pytest.mark.parametrize("behind", [OK + b"Content-Length: 1\r\n\r\nx", b"nonsense", b"\0"])
@pytest.mark.parametrize("apart", [True, False])
def test_bytes_after_a_response_are_dropped_and_end_the_connection(
    behind: bytes,
    apart: bool,  # noqa: FBT001
) -> None:
    content = OK + b"Content-Length: 3\r\n\r\nabc"
    answer = parsed(content, behind) if apart else parsed(content + behind)
    assert (body(answer), answer.done, answer.kept) == (b"abc", True, False)


@pytest.mark.parametrize("first", [OK, b"HTTP/1.1 304 Unchanged\r\n"])
def test_an_impossible_body_is_dropped_and_ends_the_connection(first: bytes) -> None:
    head = first + b"Content-Length: 3\r\n"
    answer = parsed(head + b"\r\n", head_only=True)
    assert (answer.done, answer.kept) == (True, True)
    answer = parsed(head + b"\r\nabc", head_only=True)
    assert (body(answer), answer.done, answer.kept) == (b"", True, False)


def test_informational_responses_are_skipped() -> None:
    answer = parsed(
        b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n"
    )
    assert (answer.status, answer.done, answer.kept, len(answer.headers)) == (200, True, True, 1)


def test_without_a_length_a_body_ends_with_the_connection() -> None:
    answer = parsed(OK + b"\r\nabc")
    assert (body(answer), answer.done, answer.kept) == (b"abc", False, False)
    assert answer.end()
    assert not parsed(OK + b"Content-Length: 5\r\n\r\nabc").end()
    assert not parsed(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").end()


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", OK + b"Connection: close\r\n"])
def test_a_connection_that_the_server_closes_is_not_reused(head: bytes) -> None:
    answer = parsed(head + b"Content-Length: 1\r\n\r\nx")
    assert (answer.done, answer.kept) == (True, False)


def test_an_agreed_upgrade_carries_any_bytes() -> None:
    head = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    answer = parsed(head + b"\0\1", b"\2", upgrades=True)
    assert (answer.status, answer.switched, body(answer), answer.kept) == (101, True, b"\0\1\2", False)
    assert answer.end()
