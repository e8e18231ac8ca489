"""Metadata that lists the partitions of an owner: it fits into what Consul takes, and is read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.runtime.api.ownership import owned, owns


@pytest.mark.parametrize(
    ("partitions", "value"),
    [
        (frozenset(), ""),
        (frozenset({3, 0}), "0,3"),
        (frozenset(range(155)), ",".join(map(str, range(155)))),
        (frozenset(range(156)), "0-155"),
        (frozenset(range(300)) - {7}, "0-6,8-299"),
    ],
    ids=["none", "few", "the most as numbers", "one more", "a gap"],
)
def test_owned_partitions_are_written_in_the_shortest_form_that_older_releases_read(
    partitions: frozenset[int], value: str
) -> None:
    meta = owns("newbook", partitions, 1000)
    assert meta == {"owns-newbook": value, "partitions-newbook": "1000"}


def test_every_second_of_two_thousand_partitions_fits() -> None:
    meta = owns("newbook", frozenset(range(0, 2000, 2)), 2000)
    assert len(meta["owns-newbook"]) <= 512
    assert owned(meta, "newbook") == frozenset(range(0, 2000, 2))


@given(st.frozensets(st.integers(0, 2027)))
def test_any_set_fits_and_is_read_back(partitions: frozenset[int]) -> None:
    meta = owns("newbook", partitions, 2028)
    assert len(meta["owns-newbook"].encode()) <= 512
    assert owned(meta, "newbook") == partitions


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("1,x,3", {1, 3}),
        ("5-3", set()),
        ("0-99999999999", set()),
        ("bits:-1", set()),
        ("bits:" + "f" * 5000, set()),
        ("٣", set()),
        ("2-4,,9", {2, 3, 4, 9}),
    ],
)
def test_malformed_metadata_is_left_out(value: str, read: set[int]) -> None:
    assert owned({"owns-newbook": value}, "newbook") == read
