"""Which part of a file a request asks for (RFC 9110, 14)."""

import pytest
from multidict import CIMultiDict

from bookshelf.http.byte_ranges import requested_range
from bookshelf.http.problem import Problem

TAG = '"a"'


def part(size: int = 100, **headers: str) -> range | None:
    return requested_range(CIMultiDict({k.replace("_", "-"): v for k, v in headers.items()}), size, TAG)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-", range(100)),
        ("bytes=90-200", range(90, 100)),
        ("bytes=-10", range(90, 100)),
        ("bytes=-200", range(100)),
        ("bytes=0-999999999999999999", range(100)),
    ],
)
def test_one_range_is_a_part_of_the_file(given: str, expected: range) -> None:
    assert part(Range=given) == expected
    assert part(Range=given, If_Range=TAG) == expected


@pytest.mark.parametrize(
    "given",
    [
        *("", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1"),
        *("bytes=+1-2", "bytes=1-2x", "bytes=0-9999999999999999999", "bytes=٣-٤"),
    ],
)
def test_what_is_no_single_range_is_answered_with_all_bytes(given: str) -> None:
    assert part(Range=given) is None


@pytest.mark.parametrize("given", ['"b"', 'W/"a"', "Sun, 01 Mar 2026 12:00:00 GMT"])
def test_a_range_of_another_version_is_answered_with_all_bytes(given: str) -> None:
    assert part(Range="bytes=0-1", If_Range=given) is None


@pytest.mark.parametrize(("given", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0)])
def test_a_range_outside_of_the_file_names_its_size(given: str, size: int) -> None:
    with pytest.raises(Problem) as refusal:
        part(size, Range=given)
    assert (refusal.value.kind, refusal.value.headers) == ("range", {"Content-Range": f"bytes */{size}"})
