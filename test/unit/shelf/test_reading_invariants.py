"""readbook: the invariants of readings hold after any commands."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given as for_any
from hypothesis import strategies as st
from msgspec import UNSET

from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.message import Command, Event
from bookshelf.shelf import events as has
from bookshelf.shelf import reading_commands as do
from bookshelf.shelf.field_types import ProgressBody
from bookshelf.shelf.reading import READING, ReadBook
from bookshelf.shelf.values import is_before

AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
added = has.BookAdded(title="Dune", author="Frank Herbert", added=AT, pages=412, minutes=1260)
dates = st.sampled_from([UNSET, None, "2024", "2024-02", "2024-02-10", "2026-03-01", "2023-12-31"])
plain_dates = st.sampled_from([None, "2024", "2024-02", "2024-02-10", "2023-12-31"])
stars = st.sampled_from([None, 0.25, 4.5, 5.0])
texts = st.sampled_from([None, "", "Sand."])
numbers = st.none() | st.integers(1, 4)
progress = st.builds(ProgressBody, page=st.integers(0, 500), of=st.none() | st.integers(1, 500))
at = st.just(AT)
REPEATABLE = st.one_of(
    st.builds(
        do.FinishBook,
        at=at,
        finished=st.sampled_from([UNSET, None, AT.date()]),
        rating=st.none() | st.just(4),
        review=texts,
    ),
    st.builds(do.PauseReading, at=at, reading=numbers, on=dates),
    st.builds(do.ResumeReading, at=at, reading=numbers, on=dates),
    st.builds(do.FinishReading, at=at, reading=st.integers(1, 4), finished=dates, stars=stars, review=texts),
    st.builds(do.AbandonReading, at=at, reading=st.integers(1, 4), on=dates, reason=texts),
    st.builds(do.CorrectReading, at=at, reading=numbers, started=dates, ended=dates),
    st.builds(do.ReopenReading, reading=numbers),
    st.builds(do.RestoreReading, reading=numbers),
    st.builds(do.RateBook, stars=stars.filter(bool), reading=numbers),
    st.builds(do.ReviewBook, text=texts.filter(bool), spoiler=st.booleans(), reading=numbers),
)
ANY = st.one_of(
    REPEATABLE,
    st.builds(do.StartReading, at=at, started=dates),
    st.builds(
        do.RecordReading,
        at=at,
        end=st.sampled_from(["finished", "abandoned"]),
        started=plain_dates,
        ended=plain_dates,
        stars=stars,
        review=texts,
        spoiler=st.booleans(),
    ),
    st.builds(do.NoteProgress, at=at, reading=numbers, progress=progress, on=dates),
    st.builds(do.RemoveProgress, reading=numbers, entry=st.integers(1, 3)),
    st.builds(do.RemoveReading, reading=numbers),
    st.builds(do.RateBook, stars=stars, reading=numbers),
    st.builds(do.ReviewBook, text=texts, spoiler=st.booleans(), reading=numbers),
)


def decided(book: ReadBook, command: Command) -> list[Event]:
    try:
        return READING.decide(book, command)
    except Refused:
        return []


@for_any(st.lists(ANY, max_size=25))
def test_invariants_hold_after_any_commands(commands: list[Command]) -> None:
    book = READING.fold([added])
    for command in commands:
        events = [READING.catalogue.as_read(event) for event in decided(book, command)]
        after = READING.fold(events, book)
        assert (after == book) == (not events), "a command that changes nothing appends nothing"
        book = after
        readings = [reading for reading in book.readings.by_number.values() if not reading.removed]
        assert sum(reading.is_open for reading in readings) <= 1
        for reading in readings:
            assert (
                reading.started is None
                or reading.ended is None
                or not is_before(reading.ended, reading.started)
            )
            assert reading.ended is None or not reading.is_open
            for entry in reading.entries.values():
                assert entry.progress.of is None or (entry.progress.page or 0) <= entry.progress.of


@for_any(st.lists(ANY, max_size=12), REPEATABLE)
def test_a_command_that_sets_values_appends_nothing_the_second_time(
    commands: list[Command],
    last: Any,  # noqa: ANN401 (a command)
) -> None:
    book = READING.fold([added])
    for command in [*commands, last]:
        events = [READING.catalogue.as_read(event) for event in decided(book, command)]
        book = READING.fold(events, book)
    assert decided(book, last) == []
