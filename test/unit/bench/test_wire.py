"""Answers are cut out of the bytes, however these come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wire import Answers, WireResponse, get, post

CREATED = b"HTTP/1.1 201 Created\r\nLocation: /books/1\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\nETag: x\r\n\r\n"


def fed(pieces: list[bytes]) -> list[WireResponse]:
    answers = Answers()
    return [answer for piece in pieces if (answer := answers.feed(piece)) is not None]


@given(st.sampled_from([CREATED, CHUNKED, EMPTY]), st.lists(st.integers(0, 100)))
def test_a_response_may_arrive_in_any_pieces(whole: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[start:end] for start, end in pairwise(places)]
    assert fed(pieces) == fed([whole])
    assert len(fed([whole])) == 1


def test_an_answer_has_its_status_its_headers_and_its_body() -> None:
    [answer] = fed([CREATED])
    assert (answer.status, answer.body) == (201, b"hello")
    assert (answer.header("location"), answer.header("ETag")) == ("/books/1", None)


@pytest.mark.parametrize("whole", [CREATED, CHUNKED])
def test_an_incomplete_response_is_not_returned(whole: bytes) -> None:
    assert fed([whole[:-1]]) == []


def test_responses_are_read_one_after_another() -> None:
    assert [answer.status for answer in fed([CREATED, EMPTY, CHUNKED])] == [201, 204, 200]


def test_a_request_has_the_length_of_its_body() -> None:
    assert post("/books", {"title": "Kim"}) == (
        b"POST /books HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b'Content-Length: 15\r\n\r\n{"title":"Kim"}'
    )


def test_a_header_s_name_is_given_with_underscores() -> None:
    assert get("/books", Bookshelf_After="x/0@1") == (
        b"GET /books HTTP/1.1\r\nHost: localhost\r\nBookshelf-After: x/0@1\r\n\r\n"
    )
