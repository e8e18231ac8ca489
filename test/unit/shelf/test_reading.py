"""readbook: every decision of the route of the first release, which finishes a book."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from msgspec import UNSET, UnsetType
from support.spec import given

from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.message import Command, Event
from bookshelf.shelf.events import (
    BookAdded,
    BookChanged,
    BookFinished,
    BookRated,
    BookRemoved,
    BookReviewed,
    ReadingAbandoned,
    ReadingCorrected,
    ReadingFinished,
    ReadingRemoved,
    ReadingStarted,
)
from bookshelf.shelf.reading import READING
from bookshelf.shelf.reading_commands import FinishBook
from bookshelf.shelf.reading_routes import Finishing, finish

AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
CONTEXT = RequestContext(at=AT)
TODAY = AT.date()
added = BookAdded(title="Dune", author="Frank Herbert", added=AT)
finished = BookFinished(finished=date(2024, 3, 1))


def finish_on(day: date | UnsetType | None, **fields: Any) -> FinishBook:  # noqa: ANN401 (its fields)
    return FinishBook(finished=day, at=AT, **fields)


def test_a_book_is_finished_on_a_day() -> None:
    given(READING, added).when(finish_on(TODAY)).then(BookFinished(finished=TODAY))


def test_a_book_is_finished_with_a_rating_and_a_review() -> None:
    said = BookFinished(finished=TODAY, rating=5, review="Sand.")
    given(READING, added).when(finish_on(TODAY, rating=5, review="Sand.")).then(said)


def test_a_book_may_be_finished_on_a_day_that_is_not_known() -> None:
    given(READING, added).when(finish_on(None)).then(BookFinished(finished=None))


def test_finishing_again_with_equal_values_appends_no_event() -> None:
    rated = BookFinished(finished=date(2024, 3, 1), rating=4, review="Sand.")
    given(READING, added, rated).when(finish_on(date(2024, 3, 1), rating=4, review="Sand.")).then()
    given(READING, added, rated).when(finish_on(UNSET)).then()
    given(READING, added, rated).when(finish_on(None, rating=None, review=None)).then()


def test_finishing_again_with_other_values_corrects_the_reading() -> None:
    corrected = ReadingCorrected(reading=1, ended="2026-03-01")
    given(READING, added, finished).when(finish_on(TODAY)).then(corrected)
    given(READING, added, finished).when(finish_on(None, rating=1)).then(BookRated(reading=1, stars=1.0))
    reviewed = BookReviewed(reading=1, text="Sand.")
    given(READING, added, finished).when(finish_on(UNSET, review="Sand.")).then(reviewed)


def test_finishing_again_corrects_the_latest_finished_reading() -> None:
    earlier = ReadingFinished(reading=2, finished="2020")
    given(READING, added, finished, earlier).when(finish_on(UNSET, rating=2)).then(
        BookRated(reading=1, stars=2.0)
    )


def test_a_rating_that_rounds_the_stars_of_the_reading_changes_nothing() -> None:
    quarter = BookRated(reading=1, stars=4.25)
    given(READING, added, finished, quarter).when(finish_on(UNSET, rating=4)).then()
    given(READING, added, finished, quarter).when(finish_on(UNSET, rating=5)).then(
        BookRated(reading=1, stars=5.0)
    )


def test_finishing_a_book_finishes_the_open_reading() -> None:
    started = ReadingStarted(reading=2, started="2026-02")
    given(READING, added, finished, started).when(finish_on(TODAY, rating=3, review="Sand.")).then(
        ReadingFinished(reading=2, finished="2026-03-01", stars=3.0, review="Sand.")
    )
    given(READING, added, finished, started).when(finish_on(None)).then(ReadingFinished(reading=2))
    given(READING, added, finished, started).when(finish_on(date(2026, 1, 31))).refused(
        Invalid, "before it starts", field="finished"
    )


@pytest.mark.parametrize("last", [ReadingAbandoned(reading=1, on="2025"), ReadingRemoved(reading=1)])
def test_finishing_a_book_without_a_finished_reading_records_a_new_one(last: Event) -> None:
    given(READING, added, ReadingStarted(reading=1), last).when(finish_on(UNSET, rating=3)).then(
        ReadingFinished(reading=2, finished="2026-03-01", stars=3.0)
    )


@pytest.mark.parametrize("events", [(), (finished,), (BookChanged(title="x"),)])
def test_a_book_that_never_was_on_the_shelf_cannot_be_finished(events: tuple[Event, ...]) -> None:
    given(READING, *events).when(finish_on(TODAY)).refused(NotFound)


@pytest.mark.parametrize("before", [(added,), (added, finished)])
def test_a_removed_book_cannot_be_finished(before: tuple[Event, ...]) -> None:
    given(READING, *before, BookRemoved()).when(finish_on(TODAY)).refused(NotFound)


def test_a_book_that_was_only_changed_is_not_finished_by_that() -> None:
    said = BookFinished(finished=TODAY)
    given(READING, added, BookChanged(title="Arrakis")).when(finish_on(TODAY)).then(said)


def test_no_book_is_finished_in_the_future() -> None:
    tomorrow = TODAY + timedelta(days=1)  # somewhere on earth it is tomorrow already
    given(READING, added).when(finish_on(tomorrow)).then(BookFinished(finished=tomorrow))
    later = tomorrow + timedelta(days=1)
    given(READING, added).when(finish_on(later)).refused(Invalid, "lies in the future", field="finished")


def test_a_finished_book_is_not_corrected_to_a_day_in_the_future() -> None:
    given(READING, added, finished).when(finish_on(date(9999, 12, 31))).refused(
        Invalid, "lies in the future", field="finished"
    )


def test_a_command_of_another_aggregate_appends_nothing() -> None:
    given(READING, added).when(Command()).then()


def test_a_day_left_out_is_the_day_of_the_command() -> None:
    assert finish(Finishing(), CONTEXT) == finish_on(UNSET)
    assert finish(Finishing(rating=3, review="x"), CONTEXT) == finish_on(UNSET, rating=3, review="x")
    given(READING, added).when(finish_on(UNSET)).then(BookFinished(finished=TODAY))


def test_a_day_may_be_given_or_be_unknown() -> None:
    assert finish(Finishing(finished="2024-02-29"), CONTEXT) == finish_on(date(2024, 2, 29))
    assert finish(Finishing(finished="unknown"), CONTEXT) == finish_on(None)


@pytest.mark.parametrize("day", ["2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01"])
def test_a_day_that_is_in_no_calendar_is_refused(day: str) -> None:
    with pytest.raises(Invalid, match="no day of the calendar") as refusal:
        finish(Finishing(finished=day), CONTEXT)
    assert refusal.value.field == "finished"
