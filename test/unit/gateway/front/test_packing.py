"""Which answers are compressed, and what is said of it."""

import gzip

import pytest
from multidict import CIMultiDict

from bookshelf.http.message import Request, Response, request
from gateway.ingress.compression import GzipResponses, unmark

TEXT = b"a book, " * 1000
JSON = {"Content-Type": "application/json"}


def packed(
    asked: Request | None = None, body: bytes = TEXT, **more: str
) -> tuple[bytes | None, CIMultiDict[str]]:
    headers = CIMultiDict({**JSON, **{name.replace("_", "-"): value for name, value in more.items()}})
    asked = asked or request("GET", "/", Accept_Encoding="gzip")
    return GzipResponses().pack(asked, Response(200, headers, body), headers), headers


def test_a_large_text_for_who_takes_it() -> None:
    found, headers = packed(ETag='"3"', Content_Length=str(len(TEXT)))
    assert found is not None
    assert gzip.decompress(found) == TEXT
    assert (headers["Content-Encoding"], headers["Vary"], headers["ETag"]) == (
        "gzip",
        "Accept-Encoding",
        '"3--gzip"',
    )
    assert "Content-Length" not in headers


@pytest.mark.parametrize(
    ("accepts", "takes"),
    [
        *(("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("GZIP", True), ("gzip; q=1.0, br", True)),
        *(("", False), ("br", False), ("gzip;q=0", False), ("gzip;q=0.0", False), ("xgzip", False)),
    ],
)
def test_who_takes_it(accepts: str, takes: bool) -> None:  # noqa: FBT001
    found, headers = packed(request("GET", "/", Accept_Encoding=accepts))
    assert (found is not None) is takes
    assert headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "kind",
    [
        *("image/png", "application/octet-stream", "text/event-stream", "video/mp4", "", "application/zip"),
        *("multipart/form-data", "application/jsonish"),
    ],
)
def test_no_other_kind(kind: str) -> None:
    assert packed(Content_Type=kind)[0] is None


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/problem+json", "image/svg+xml"])
def test_these_kinds_too(kind: str) -> None:
    assert packed(Content_Type=kind)[0] is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Content-Encoding", "br"), ("Content-Range", "bytes 0-1/2"), ("Cache-Control", "no-transform")),
        ("Set-Cookie", "secret=1"),
    ],
)
def test_not_what_is_packed_or_partial_or_has_a_secret(name: str, value: str) -> None:
    headers = CIMultiDict({**JSON, name: value})
    asked = request("GET", "/", Accept_Encoding="gzip")
    assert GzipResponses().pack(asked, Response(200, headers, TEXT), headers) is None


def test_not_what_was_asked_for_with_a_secret() -> None:
    assert packed(request("GET", "/", Accept_Encoding="gzip", Authorization="Bearer x"))[0] is None


@pytest.mark.parametrize("body", [b"", b"x" * 1023, b"x" * ((1 << 20) + 1)])
def test_not_what_is_too_small_or_too_large(body: bytes) -> None:
    assert packed(body=body)[0] is None


def test_the_same_answer_is_packed_once() -> None:
    packing, asked = GzipResponses(), request("GET", "/", Accept_Encoding="gzip")
    first, again = (packing.pack(asked, Response(200, JSON, bytes(TEXT)), CIMultiDict(JSON)) for _ in "ab")
    assert first is again


@pytest.mark.parametrize("status", [206, 416])
def test_not_a_part_nor_the_refusal_of_one(status: int) -> None:
    headers = CIMultiDict({**JSON, "Content-Type": "application/json"})
    asked = request("GET", "/", Accept_Encoding="gzip")
    assert GzipResponses().pack(asked, Response(status, headers, TEXT), headers) is None


def test_not_the_whole_where_a_part_was_asked_for() -> None:
    assert packed(request("GET", "/", Accept_Encoding="gzip", Range="bytes=0-1"))[0] is None


def test_a_compressed_answer_is_not_continued_with_bytes_of_another() -> None:
    marked = CIMultiDict({"If-Range": '"3--gzip"', "If-None-Match": '"3--gzip"'})
    unmark(marked)
    assert marked == {"If-Range": '"3--gzip"', "If-None-Match": '"3"'}
