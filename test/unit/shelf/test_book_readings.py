"""Readings of a book: every event of the fold, and what is computed from it, compared with a plain oracle."""

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from bookshelf.cqrs.message import Event
from bookshelf.shelf.book_readings import ProgressEntry, Reading, Readings, ReadingSummary, evolve
from bookshelf.shelf.events import (
    EVENTS,
    BookChanged,
    BookFinished,
    BookRated,
    BookReviewed,
    ProgressRemoved,
    ReadingAbandoned,
    ReadingCorrected,
    ReadingFinished,
    ReadingPaused,
    ReadingProgressed,
    ReadingRemoved,
    ReadingReopened,
    ReadingRestored,
    ReadingResumed,
    ReadingStarted,
)
from bookshelf.shelf.values import ReadingProgress

dates = st.none() | st.sampled_from(["2023", "2023-05", "2023-05-06", "2024", "2024-01-31", "2024-02"])
stars = st.none() | st.sampled_from([0.25, 2.5, 4.0, 5.0])
texts = st.none() | st.sampled_from(["Sand.", "Spice."])
numbers = st.integers(1, 4)
events = st.one_of(
    st.builds(BookFinished, finished=st.none() | st.just(date(2023, 5, 6)), rating=st.none() | st.just(3)),
    st.builds(ReadingStarted, reading=numbers, started=dates, format=texts),
    st.builds(
        ReadingProgressed,
        reading=numbers,
        entry=st.integers(1, 3),
        progress=st.integers(1, 9).map(lambda page: ReadingProgress(page=page)),
        on=dates,
    ),
    st.builds(ProgressRemoved, reading=numbers, entry=st.integers(1, 3)),
    st.builds(ReadingPaused, reading=numbers),
    st.builds(ReadingResumed, reading=numbers),
    st.builds(ReadingFinished, reading=numbers, finished=dates, stars=stars, review=texts),
    st.builds(ReadingAbandoned, reading=numbers, on=dates),
    st.builds(ReadingCorrected, reading=numbers, started=dates),
    st.builds(ReadingCorrected, reading=numbers, ended=dates),
    st.builds(ReadingReopened, reading=numbers),
    st.builds(ReadingRemoved, reading=numbers),
    st.builds(ReadingRestored, reading=numbers),
    st.builds(BookRated, reading=st.none() | numbers, stars=stars),
    st.builds(BookReviewed, reading=st.none() | numbers, text=texts, spoiler=st.booleans()),
)


def fold(*happened: Event) -> Readings:
    readings = Readings()
    for event in happened:
        readings = evolve(readings, EVENTS.as_read(event))
    return readings


def oracle(happened: list[Event]) -> dict[str, Any]:  # noqa: C901, PLR0912 (every event in one place)
    """Return what a book shows, from rows that are changed in place."""
    own: dict[str, Any] = {"stars": None, "review": None, "spoiler": False}
    rows: dict[int, dict[str, Any]] = {}
    for event in map(EVENTS.as_read, happened):
        number = getattr(event, "reading", None)
        creates = isinstance(event, ReadingStarted | ReadingFinished)
        if isinstance(event, ReadingStarted) or (creates and number not in rows):
            rows[number] = {**own, "stars": None, "review": None, "spoiler": False, "started": None}  # type: ignore[index]
            rows[number] |= {"ended": None, "end": "open", "paused": False, "entries": {}, "removed": False}  # type: ignore[index]
        row = own if number is None else rows.get(number)
        if row is None:
            continue
        match event:
            case ReadingStarted():
                row["started"] = event.started
            case ReadingFinished():
                row |= {"end": "finished", "ended": event.finished, "paused": False}
                if event.stars is not None:
                    row["stars"] = event.stars
                if event.review is not None:
                    row |= {"review": event.review, "spoiler": False}
            case ReadingAbandoned():
                row |= {"end": "abandoned", "ended": event.on, "paused": False}
            case ReadingReopened():
                row |= {"end": "open", "ended": None}
            case ReadingPaused() | ReadingResumed():
                row["paused"] = isinstance(event, ReadingPaused)
            case ReadingRemoved() | ReadingRestored():
                row["removed"] = isinstance(event, ReadingRemoved)
            case ReadingProgressed():
                row["entries"][event.entry] = (event.on or "", event.entry, event.progress)
            case ProgressRemoved():
                row["entries"].pop(event.entry, None)
            case ReadingCorrected():
                for name in ("started", "ended"):
                    if getattr(event, name) is not msgspec.UNSET:
                        row[name] = getattr(event, name)
            case BookRated():
                row["stars"] = event.stars
            case BookReviewed():
                row |= {"review": event.text, "spoiler": event.spoiler}
    shelf = [(row["end"] == "open", row["ended"] or row["started"] or "", n) for n, row in rows.items()]
    latest_first = [rows[n] for _, _, n in sorted(shelf, reverse=True) if not rows[n]["removed"]]
    ends = [row["end"] for row in latest_first]
    review = next((row for row in [*latest_first, own] if row["review"] is not None), own)
    state = next((end for end in ("open", "finished", "abandoned") if end in ends), "unread")
    if state == "open":
        state = "paused" if latest_first[0]["paused"] else "reading"
    entries = latest_first[0]["entries"].values() if "open" in ends else ()
    return {
        "state": state,
        "finished": next((row["ended"] for row in latest_first if row["end"] == "finished"), None),
        "stars": next((row["stars"] for row in [*latest_first, own] if row["stars"] is not None), None),
        "review": review["review"],
        "spoiler": review["spoiler"],
        "readings": len(latest_first),
        "progress": max(entries)[2] if entries else None,
    }


@for_any(st.lists(events, max_size=30))
def test_what_a_book_shows_of_its_readings_equals_the_oracle(happened: list[Event]) -> None:
    assert msgspec.structs.asdict(fold(*happened).summary) == oracle(happened)


@pytest.mark.parametrize(
    ("happened", "state"),
    [
        ((), "unread"),
        ((ReadingStarted(reading=1),), "reading"),
        ((ReadingStarted(reading=1), ReadingPaused(reading=1)), "paused"),
        ((ReadingStarted(reading=1), ReadingPaused(reading=1), ReadingResumed(reading=1)), "reading"),
        ((ReadingStarted(reading=1), ReadingAbandoned(reading=1)), "abandoned"),
        ((BookFinished(), ReadingStarted(reading=2), ReadingAbandoned(reading=2)), "finished"),
        ((BookFinished(), ReadingStarted(reading=2)), "reading"),
        ((BookFinished(), ReadingRemoved(reading=1)), "unread"),
        ((BookFinished(), ReadingRemoved(reading=1), ReadingRestored(reading=1)), "finished"),
        ((BookFinished(), ReadingReopened(reading=1)), "reading"),
        ((BookRated(stars=4.0), BookChanged(title="Dune")), "unread"),
    ],
)
def test_the_state_of_a_book_follows_from_its_readings(happened: tuple[Event, ...], state: str) -> None:
    assert fold(*happened).state == state


def test_a_finished_event_of_the_first_release_is_reading_1() -> None:
    happened = fold(BookFinished(finished=date(2024, 3, 1), rating=4, review="Sand."))
    reading = Reading(end="finished", ended="2024-03-01", stars=4.0, review="Sand.")
    assert happened.by_number == {1: reading}


def test_readings_are_in_the_order_of_their_dates_and_the_open_one_is_the_last() -> None:
    readings = fold(
        ReadingStarted(reading=1, started="2020"),
        ReadingFinished(reading=2, finished="2024-03"),
        ReadingFinished(reading=3, finished="2024"),
        ReadingFinished(reading=4),
        ReadingFinished(reading=5, finished="1999-01-01"),
        ReadingRemoved(reading=5),
    )
    assert readings.in_order == (4, 3, 2, 1)
    assert readings.latest("finished") == 2
    assert readings.open == 1
    assert readings.next_number == 6


def test_finishing_keeps_the_stars_and_the_review_that_the_reading_has_already() -> None:
    before = (ReadingStarted(reading=1), BookRated(reading=1, stars=4.25))
    reviewed = BookReviewed(reading=1, text="Sand.", spoiler=True)
    shown = fold(*before, reviewed, ReadingFinished(reading=1)).summary
    assert (shown.stars, shown.review, shown.spoiler) == (4.25, "Sand.", True)
    shown = fold(*before, reviewed, ReadingFinished(reading=1, stars=2.0, review="Dust.")).summary
    assert (shown.stars, shown.review, shown.spoiler) == (2.0, "Dust.", False)


def test_the_progress_of_a_reading_is_that_of_its_latest_day() -> None:
    later = ReadingProgressed(
        reading=1, entry=1, progress=ReadingProgress(page=200), on="2024-01-05", note="Worms!"
    )
    earlier = ReadingProgressed(reading=1, entry=2, progress=ReadingProgress(page=50), on="2024-01-02")
    readings = fold(ReadingStarted(reading=1), later, earlier)
    assert readings.summary.progress == ReadingProgress(page=200)
    assert readings.by_number[1].entries[1] == ProgressEntry(
        ReadingProgress(page=200), "2024-01-05", "Worms!"
    )
    left = fold(ReadingStarted(reading=1), later, earlier, ProgressRemoved(reading=1, entry=1))
    assert left.summary.progress == ReadingProgress(page=50)
    assert left.by_number[1].last_entry == 2


@pytest.mark.parametrize(
    ("summary", "fields"),
    [
        (ReadingSummary(), {"state": "unread", "finished": None, "rating": None, "review": None}),
        (
            ReadingSummary(state="finished", finished="2024-03-01", stars=4.0, review="Sand.", readings=1),
            {"state": "finished", "finished": date(2024, 3, 1), "rating": 4, "review": "Sand."},
        ),
        (
            ReadingSummary(state="finished", finished="2024-03", stars=0.25, readings=2, spoiler=True),
            {"finished": None, "finished_on": "2024-03", "rating": 1, "stars": 0.25, "readings": 2},
        ),
    ],
)
def test_later_fields_are_shown_only_if_those_of_the_first_release_do_not_do(
    summary: ReadingSummary, fields: dict[str, Any]
) -> None:
    shown = {name: value for name, value in summary.to_fields().items() if value not in {None, False}}
    expected = {name: value for name, value in fields.items() if value is not None}
    assert shown == expected | ({"state": summary.state} | ({"spoiler": True} if summary.spoiler else {}))


def test_events_of_readings_that_do_not_exist_change_nothing() -> None:
    assert fold(ReadingPaused(reading=7), BookRated(reading=7, stars=1.0)) == Readings()
