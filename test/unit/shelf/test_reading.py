"""readbook: every decision on finishing a book."""

from datetime import UTC, date, datetime, timedelta

import pytest
from support.spec import given

from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.route import CommandContext
from bookshelf.shelf.events import BookAdded, BookChanged, BookFinished, BookRemoved
from bookshelf.shelf.reading import READING, FinishBook, Finishing, finish

AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
CONTEXT = CommandContext(at=AT)
TODAY = AT.date()
added = BookAdded(title="Dune", author="Frank Herbert", added=AT)
finished = BookFinished(finished=date(2024, 3, 1))


def finish_on(day: date | None, **fields: object) -> FinishBook:
    return FinishBook(finished=day, at=AT, **fields)  # type: ignore[arg-type]


def test_a_book_is_finished_on_a_day() -> None:
    given(READING, added).when(finish_on(TODAY)).then(BookFinished(finished=TODAY))


def test_a_book_is_finished_with_a_rating_and_a_review() -> None:
    said = BookFinished(finished=TODAY, rating=5, review="Sand.")
    given(READING, added).when(finish_on(TODAY, rating=5, review="Sand.")).then(said)


def test_a_book_may_be_finished_on_a_day_that_is_not_known() -> None:
    given(READING, added).when(finish_on(None)).then(BookFinished(finished=None))


def test_finishing_twice_says_it_once() -> None:
    given(READING, added, finished).when(finish_on(TODAY)).then()
    given(READING, added, finished).when(finish_on(None, rating=1)).then()


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


def test_what_is_finished_already_is_not_refused_for_a_day_in_the_future() -> None:
    given(READING, added, finished).when(finish_on(date(9999, 12, 31))).then()


def test_a_command_of_another_aggregate_says_nothing() -> None:
    given(READING, added).when(Command()).then()


def test_a_day_left_out_is_the_day_of_the_command() -> None:
    assert finish(Finishing(), CONTEXT) == finish_on(TODAY)
    assert finish(Finishing(rating=3, review="x"), CONTEXT) == finish_on(TODAY, rating=3, review="x")


def test_a_day_may_be_said_or_said_to_be_unknown() -> None:
    assert finish(Finishing(finished="2024-02-29"), CONTEXT) == finish_on(date(2024, 2, 29))
    assert finish(Finishing(finished="unknown"), CONTEXT) == finish_on(None)


@pytest.mark.parametrize("day", ["2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01"])
def test_a_day_that_is_in_no_calendar_is_refused(day: str) -> None:
    with pytest.raises(Invalid, match="no day of the calendar") as refusal:
        finish(Finishing(finished=day), CONTEXT)
    assert refusal.value.field == "finished"
