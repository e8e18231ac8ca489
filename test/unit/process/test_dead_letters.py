"""The dead letters of a process as a fold: what is kept in memory, and when a connector retries."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fixed_infrastructure import NOW

from bookshelf.cqrs.dead_letters import LetterAdded, LetterSettled
from bookshelf.runtime.process.connector import due
from bookshelf.runtime.process.dead_letters import OffsetSet, OpenLetter, ProcessLetters

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@given(st.lists(st.integers(0, 40)))
def test_a_set_of_offsets_has_what_was_added(offsets: list[int]) -> None:
    found = OffsetSet()
    for offset in offsets:
        found.add(offset)
    assert [offset for offset in range(-1, 42) if offset in found] == sorted(set(offsets))
    assert found.ranges == sum(offset - 1 not in offsets for offset in set(offsets))


def test_open_dead_letters_have_a_size_and_settled_ones_have_none() -> None:
    letters = ProcessLetters(most_bytes=3000)
    for offset in range(4):
        assert not letters.is_full
        added = LetterAdded(position=f"stall/0@{offset}", reason="r" * 500)
        letters.apply(f"o{offset}", added, offset, NOW)
    assert letters.is_full
    letters.apply("o0", LetterAdded(position="stall/0@0", reason="again"), 4, NOW)
    letters.apply("o1", LetterSettled(position="stall/0@1"), 5, NOW)
    found = letters.is_full, len(letters), letters.knows("stall", 1), letters.knows("stall", 4)
    assert found == (False, 3, True, False)


def test_a_dead_letter_counts_its_failures_from_the_first_on() -> None:
    letters = ProcessLetters()
    letters.apply("o1", LetterAdded(position="stall/0@7", reason="", behind=True), 0, NOW)
    for n in range(1, 4):
        letters.apply("o1", LetterAdded(position="stall/0@7", reason=""), n, NOW + n * HOUR)
    opened = letters.find("stall/0@7")
    assert opened == OpenLetter(("stall", "o1"), "stall/0@7", 3, 3, NOW + HOUR, NOW + 3 * HOUR)


def failed(attempts: int, after: timedelta = timedelta()) -> OpenLetter:
    return OpenLetter(("stall", "o1"), "stall/0@7", 3, attempts, NOW, NOW + after)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 0), (1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (300, 300)]
)
def test_the_pause_doubles_from_a_second_to_five_minutes(attempts: int, seconds: int) -> None:
    assert due(failed(attempts)) == NOW + seconds * SECOND


def test_after_a_day_a_call_waits_for_an_operator() -> None:
    last = 24 * HOUR - 300 * SECOND
    assert due(failed(20, last)) == NOW + 24 * HOUR
    assert due(failed(20, last + SECOND)) is None


def test_a_command_that_was_set_aside_is_known_by_its_id() -> None:
    letters = ProcessLetters()
    command = '{"id":"selling-stall-0-7-1"}'
    letters.apply(
        "tea", LetterAdded(position="selling.answers/0@3", reason="", to="stock", command=command), 0, NOW
    )
    assert letters.has_set_aside("selling-stall-0-7-1")
    others = ("selling-stall-0-7-0", "selling-stall-0-8-1", "selling-stall-1-7-1", "strange", "a-b-c")
    assert not any(letters.has_set_aside(other) for other in others)
