"""How many partitions a topic's records were written for, from the first keys of each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.log.kafka.topic_check import written_for
from bookshelf.log.port import partition_of


def sample(keys: int, partitions: int, first: int = 0) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for n in range(first, first + keys):
        found.setdefault(partition_of(f"key-{n}", partitions), []).append(f"key-{n}")
    return found


@given(st.integers(0, 500), st.integers(1, 64))
def test_the_number_of_partitions_is_recognised_by_its_keys(keys: int, partitions: int) -> None:
    assert written_for(sample(keys, partitions), partitions) == partitions


@pytest.mark.parametrize(("former", "now"), [(1, 2), (3, 6), (8, 9), (8, 16), (8, 64), (155, 300)])
@pytest.mark.parametrize("later", [0, 300])
def test_added_partitions_are_detected(former: int, now: int, later: int) -> None:
    keys = sample(400, former)
    for partition, more in sample(later, now, first=1000).items():
        keys[partition] = [*keys.get(partition, []), *more]
    assert written_for(keys, now) == former


def test_the_key_of_a_child_counts_as_its_parent_s_where_children_are() -> None:
    keys: dict[int, list[str]] = {}
    for n in range(100):
        keys.setdefault(partition_of(f"key-{n}", 8), []).append(f"key-{n}~c-{n}")
    assert written_for(keys, 8, by_parent=True) == 8
    assert written_for(keys, 8) == 0


def test_keys_without_a_fitting_number_of_partitions_are_reported() -> None:
    keys = {7: [f"key-{n}" for n in range(100)]}
    assert written_for(keys, 8) == 0
