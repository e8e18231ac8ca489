"""How a group on Kafka divides partitions: evenly, and with few moves."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("aiokafka", reason="the extra kafka is not installed")

from bookshelf.log.kafka.clients import shares

claims = st.dictionaries(
    st.text(min_size=1, max_size=4),
    st.lists(st.integers(0, 20), unique=True, max_size=20),
    min_size=1,
    max_size=6,
)


@given(claims, st.integers(0, 16))
def test_every_partition_has_one_owner_and_shares_are_even(claims: dict[str, list[int]], count: int) -> None:
    given = shares(claims, range(count))
    assert sorted(p for share in given.values() for p in share) == list(range(count))
    assert set(given) == set(claims)
    sizes = [len(share) for share in given.values()]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 6), st.integers(1, 16))
def test_assigning_again_with_the_same_members_moves_nothing(members: int, count: int) -> None:
    first = shares({f"m{n}": [] for n in range(members)}, range(count))
    assert {member: sorted(share) for member, share in shares(first, range(count)).items()} == {
        member: sorted(share) for member, share in first.items()
    }


@given(st.integers(1, 6), st.integers(1, 16))
def test_a_new_member_takes_only_its_share(members: int, count: int) -> None:
    before = shares({f"m{n}": [] for n in range(members)}, range(count))
    after = shares({**before, "new": []}, range(count))
    kept = [p for member in before for p in after[member]]
    assert all(p in before[member] for member in before for p in after[member])
    assert len(kept) == count - len(after["new"])


@given(st.integers(2, 6), st.integers(1, 16))
def test_a_leaving_member_moves_only_its_partitions(members: int, count: int) -> None:
    before = shares({f"m{n}": [] for n in range(members)}, range(count))
    staying = {member: share for member, share in before.items() if member != "m0"}
    after = shares(staying, range(count))
    assert all(set(share) <= set(after[member]) for member, share in staying.items())


def test_a_partition_that_two_members_claim_is_assigned_to_one() -> None:
    assert shares({"a": [0, 1], "b": [1, 0]}, range(2)) == {"a": [0], "b": [1]}


def test_claims_on_missing_partitions_are_ignored() -> None:
    assert shares({"a": [7, 8]}, range(2)) == {"a": [0, 1]}


def test_ties_are_decided_by_the_names_of_members() -> None:
    rounds = [shares({"b": [], "a": [], "c": []}, range(4)) for _ in range(3)]
    assert all(one == other for one, other in pairwise(rounds))
