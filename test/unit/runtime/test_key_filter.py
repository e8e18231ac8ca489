"""The filter of stored keys has each of them, and few others."""

from hypothesis import given
from hypothesis import strategies as st

from bookshelf.runtime.aggregate.key_filter import KeyFilter


@given(st.lists(st.text(), max_size=200))
def test_it_has_every_key_that_was_added(keys: list[str]) -> None:
    known = KeyFilter()
    known.add(keys)
    assert all(key in known for key in keys)


def test_it_grows_and_still_knows_most_other_keys_not() -> None:
    known = KeyFilter()
    stored = [f"stored-{number}" for number in range(40_000)]
    known.add(stored)
    assert all(key in known for key in stored)
    assert sum(f"other-{number}" in known for number in range(10_000)) < 1000


def test_without_keys_it_has_none() -> None:
    assert "a" not in KeyFilter()
