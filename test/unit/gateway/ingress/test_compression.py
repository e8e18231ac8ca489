"""Which responses are compressed, and their headers."""

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
    return GzipResponses().compress(asked, Response(200, headers, body), headers), headers


def test_a_large_text_is_compressed_for_a_client_that_accepts_gzip() -> None:
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
def test_gzip_is_chosen_by_accept_encoding(accepts: str, takes: bool) -> None:  # noqa: FBT001
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
def test_other_content_types_are_not_compressed(kind: str) -> None:
    assert packed(Content_Type=kind)[0] is None


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/problem+json", "image/svg+xml"])
def test_json_xml_and_svg_are_compressed(kind: str) -> None:
    assert packed(Content_Type=kind)[0] is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Content-Encoding", "br"), ("Content-Range", "bytes 0-1/2"), ("Cache-Control", "no-transform")),
        ("Set-Cookie", "secret=1"),
    ],
)
def test_encoded_partial_and_secret_responses_are_not_compressed(name: str, value: str) -> None:
    headers = CIMultiDict({**JSON, name: value})
    asked = request("GET", "/", Accept_Encoding="gzip")
    assert GzipResponses().compress(asked, Response(200, headers, TEXT), headers) is None


def test_a_response_to_a_request_with_a_secret_is_not_compressed() -> None:
    assert packed(request("GET", "/", Accept_Encoding="gzip", Authorization="Bearer x"))[0] is None


@pytest.mark.parametrize("body", [b"", b"x" * 1023, b"x" * ((1 << 20) + 1)])
def test_a_body_below_or_above_the_size_limits_is_not_compressed(body: bytes) -> None:
    assert packed(body=body)[0] is None


def test_an_equal_response_is_compressed_once() -> None:
    packing, asked = GzipResponses(), request("GET", "/", Accept_Encoding="gzip")
    first, again = (
        packing.compress(asked, Response(200, JSON, bytes(TEXT)), CIMultiDict(JSON)) for _ in "ab"
    )
    assert first is again


@pytest.mark.parametrize("status", [206, 416])
def test_partial_responses_and_416_are_not_compressed(status: int) -> None:
    headers = CIMultiDict({**JSON, "Content-Type": "application/json"})
    asked = request("GET", "/", Accept_Encoding="gzip")
    assert GzipResponses().compress(asked, Response(status, headers, TEXT), headers) is None


def test_a_full_response_to_a_range_request_is_not_compressed() -> None:
    assert packed(request("GET", "/", Accept_Encoding="gzip", Range="bytes=0-1"))[0] is None


def test_a_compressed_answer_is_not_continued_with_bytes_of_another() -> None:
    marked = CIMultiDict({"If-Range": '"3--gzip"', "If-None-Match": '"3--gzip"'})
    unmark(marked)
    assert marked == {"If-Range": '"3--gzip"', "If-None-Match": '"3"'}
