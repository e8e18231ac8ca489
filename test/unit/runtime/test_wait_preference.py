"""How long a request prefers to wait (RFC 7240)."""

import pytest
from multidict import CIMultiDict

from bookshelf.http.problem import Problem
from bookshelf.runtime.api.header_fields import wait_s, waited_s


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["wait=5"], 5),
        (['WAIT = "5"'], 5),
        (["respond-async, wait=5;x=y"], 5),
        (["return=minimal", "wait=0"], 0),
        (["wait=3, wait=9"], 3),
        (["wait=1000"], 10),
        ([], None),
        (["wait"], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=٣"], None),
        (["await=5"], None),
    ],
)
def test_the_seconds_are_read_and_are_ten_at_the_most(given: list[str], expected: int | None) -> None:
    assert wait_s(CIMultiDict(("Prefer", text) for text in given)) == expected


def test_the_wait_ends_before_the_sender_leaves() -> None:
    assert waited_s(CIMultiDict(), 10) == 10
    assert waited_s(CIMultiDict({"Bookshelf-Time-Left": "4.5"}), 10) == 3.5
    assert waited_s(CIMultiDict({"Bookshelf-Time-Left": "0.5"}), 10) == 0
    with pytest.raises(Problem):
        waited_s(CIMultiDict({"Bookshelf-Time-Left": "0"}), 10)
