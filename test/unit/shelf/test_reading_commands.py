"""readbook: every decision on readings, progress, stars and reviews."""

from datetime import UTC, datetime

import pytest
from support.spec import given

from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.message import Command
from bookshelf.shelf import events as has
from bookshelf.shelf import limits
from bookshelf.shelf import reading_commands as do
from bookshelf.shelf.field_types import ProgressBody
from bookshelf.shelf.reading import READING
from bookshelf.shelf.values import ReadingProgress

AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
TODAY = "2026-03-01"
added = has.BookAdded(title="Dune", author="Frank Herbert", added=AT, pages=412, minutes=1260)
started = has.ReadingStarted(reading=1, started="2026-02")
finished = has.ReadingFinished(reading=1, finished="2026-02-20", stars=4.0, review="Sand.")
abandoned = has.ReadingAbandoned(reading=1, on="2026-02-20", reason="Dull.")
removed = has.ReadingRemoved(reading=1)
page_9 = ProgressBody(page=9)


def test_a_reading_starts_on_a_day_or_today() -> None:
    given(READING, added).when(do.StartReading(at=AT)).then(has.ReadingStarted(reading=1, started=TODAY))
    unknown = do.StartReading(at=AT, started=None, format="ebook")
    given(READING, added).when(unknown).then(has.ReadingStarted(reading=1, format="ebook"))
    month = do.StartReading(at=AT, started="2026-02")
    given(READING, added, started, finished).when(month).then(
        has.ReadingStarted(reading=2, started="2026-02")
    )


def test_a_second_reading_does_not_start_while_one_is_open() -> None:
    given(READING, added, started).when(do.StartReading(at=AT)).refused(Conflict, "reading 1 .* is open")
    given(READING, added, started, removed).when(do.StartReading(at=AT)).then(
        has.ReadingStarted(reading=2, started=TODAY)
    )


def test_a_past_reading_is_recorded_beside_an_open_one() -> None:
    past = do.RecordReading(
        at=AT, end="finished", started="2020", ended="2021-02", stars=4.5, review="Sand.", format="ebook"
    )
    given(READING, added, started).when(past).then(
        has.ReadingStarted(reading=2, started="2020", format="ebook"),
        has.ReadingFinished(reading=2, finished="2021-02", stars=4.5, review="Sand."),
    )


def test_a_past_reading_may_be_abandoned_with_stars_and_a_review() -> None:
    past = do.RecordReading(at=AT, end="abandoned", ended="2021", reason="Dull.", stars=1.5, review="Dust.")
    given(READING, added).when(past).then(
        has.ReadingStarted(reading=1),
        has.ReadingAbandoned(reading=1, on="2021", reason="Dull."),
        has.BookRated(reading=1, stars=1.5),
        has.BookReviewed(reading=1, text="Dust."),
    )


def test_a_review_of_a_past_reading_may_reveal_the_plot() -> None:
    past = do.RecordReading(at=AT, end="finished", review="He dies.", spoiler=True)
    given(READING, added).when(past).then(
        has.ReadingStarted(reading=1),
        has.ReadingFinished(reading=1),
        has.BookReviewed(reading=1, text="He dies.", spoiler=True),
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"started": "2021-02-02", "ended": "2021-02-01"}, "ended"),
        ({"started": "2022", "ended": "2021-12-31"}, "ended"),
        ({"ended": "2026-03-03"}, "ended"),
        ({"started": "2021-13"}, "started"),
        ({"reason": "Dull."}, "reason"),
    ],
)
def test_a_past_reading_with_impossible_values_is_refused(fields: dict[str, str], field: str) -> None:
    past = do.RecordReading(at=AT, end="finished", **fields)  # type: ignore[arg-type]
    given(READING, added).when(past).refused(Invalid, field=field)


def test_progress_is_noted_with_the_total_of_the_book() -> None:
    noted = do.NoteProgress(at=AT, progress=page_9, note="Worms!")
    progressed = has.ReadingProgressed(
        reading=1, entry=1, progress=ReadingProgress(page=9, of=412), on=TODAY, note="Worms!"
    )
    given(READING, added, started).when(noted).then(progressed)
    less = do.NoteProgress(at=AT, reading=1, progress=ProgressBody(minutes=5), on=None)
    given(READING, added, started, progressed).when(less).then(
        has.ReadingProgressed(reading=1, entry=2, progress=ReadingProgress(minutes=5, of=1260))
    )
    changed = has.BookChanged(pages=None)
    given(READING, added, changed, started).when(
        do.NoteProgress(at=AT, progress=ProgressBody(page=900))
    ).then(has.ReadingProgressed(reading=1, entry=1, progress=ReadingProgress(page=900), on=TODAY))


@pytest.mark.parametrize(
    ("progress", "match", "field"),
    [
        (ProgressBody(), "exactly one", "progress"),
        (ProgressBody(page=1, percent=2.0), "exactly one", "progress"),
        (ProgressBody(page=413), "beyond the total, which is 412; .* as `of`", "progress.page"),
        (ProgressBody(minutes=2, of=1), "beyond the total", "progress.minutes"),
        (ProgressBody(percent=33.33), "one decimal", "progress.percent"),
    ],
)
def test_progress_that_no_reading_can_have_is_refused(progress: ProgressBody, match: str, field: str) -> None:
    given(READING, added, started).when(do.NoteProgress(at=AT, progress=progress)).refused(
        Invalid, match, field=field
    )


def test_progress_beyond_the_pages_of_the_book_takes_the_total_of_another_edition() -> None:
    noted = do.NoteProgress(at=AT, progress=ProgressBody(page=500, of=600), on="2026-03")
    given(READING, added, started).when(noted).then(
        has.ReadingProgressed(reading=1, entry=1, progress=ReadingProgress(page=500, of=600), on="2026-03")
    )


def test_a_progress_entry_is_removed_once_and_its_number_is_not_used_again() -> None:
    entry = has.ReadingProgressed(reading=1, entry=1, progress=ReadingProgress(page=9))
    gone = has.ProgressRemoved(reading=1, entry=1)
    given(READING, added, started, entry).when(do.RemoveProgress(entry=1)).then(gone)
    given(READING, added, started, entry, finished).when(do.RemoveProgress(reading=1, entry=1)).then(gone)
    given(READING, added, started, entry, gone).when(do.RemoveProgress(entry=1)).refused(NotFound)
    again = do.NoteProgress(at=AT, progress=ProgressBody(page=3, of=9), on=None)
    given(READING, added, started, entry, gone).when(again).then(
        has.ReadingProgressed(reading=1, entry=2, progress=ReadingProgress(page=3, of=9))
    )


def test_a_reading_is_paused_and_resumed_once() -> None:
    paused = has.ReadingPaused(reading=1, on="2026-02")
    pause, resume = do.PauseReading(at=AT, on="2026-02"), do.ResumeReading(at=AT, reading=1)
    given(READING, added, started).when(pause).then(paused)
    given(READING, added, started, paused).when(pause).then()
    given(READING, added, started, paused).when(resume).then(has.ReadingResumed(reading=1, on=TODAY))
    given(READING, added, started).when(resume).then()


def test_the_open_reading_is_finished() -> None:
    finish = do.FinishReading(at=AT, stars=4.25, review="Sand.")
    given(READING, added, started).when(finish).then(
        has.ReadingFinished(reading=1, finished=TODAY, stars=4.25, review="Sand.")
    )


def test_a_day_that_is_left_out_is_never_before_the_start_of_the_reading() -> None:
    tomorrow = has.ReadingStarted(reading=1, started="2026-03-02")  # the reader lives east of UTC
    given(READING, added, tomorrow).when(do.FinishReading(at=AT)).then(
        has.ReadingFinished(reading=1, finished="2026-03-02")
    )


def test_finishing_a_finished_reading_corrects_the_given_values_only() -> None:
    equal = do.FinishReading(at=AT, reading=1, finished="2026-02-20", stars=4.0, review="Sand.")
    given(READING, added, started, finished).when(equal).then()
    given(READING, added, started, finished).when(do.FinishReading(at=AT, reading=1)).then()
    corrected = do.FinishReading(at=AT, reading=1, finished="2026-02", stars=None, spoiler=True)
    given(READING, added, started, finished).when(corrected).then(
        has.ReadingCorrected(reading=1, ended="2026-02"),
        has.BookRated(reading=1, stars=None),
        has.BookReviewed(reading=1, text="Sand.", spoiler=True),
    )


def test_a_reading_is_abandoned_with_a_reason_which_may_be_corrected() -> None:
    given(READING, added, started).when(do.AbandonReading(at=AT, reason="Dull.")).then(
        has.ReadingAbandoned(reading=1, on=TODAY, reason="Dull.")
    )
    given(READING, added, started, abandoned).when(do.AbandonReading(at=AT, reading=1)).then()
    given(READING, added, started, abandoned).when(do.AbandonReading(at=AT, reading=1, on="2026")).then(
        has.ReadingCorrected(reading=1, ended="2026")
    )
    given(READING, added, started, abandoned).when(do.AbandonReading(at=AT, reading=1, reason="Long.")).then(
        has.ReadingAbandoned(reading=1, on="2026-02-20", reason="Long.")
    )


def test_a_finished_reading_is_not_abandoned_and_an_abandoned_one_not_finished() -> None:
    given(READING, added, started, finished).when(do.AbandonReading(at=AT, reading=1)).refused(
        Conflict, "is finished; reopen it first"
    )
    given(READING, added, started, abandoned).when(do.FinishReading(at=AT, reading=1)).refused(
        Conflict, "is abandoned; reopen it first"
    )


def test_dates_and_format_of_a_reading_are_corrected() -> None:
    correct = do.CorrectReading(at=AT, reading=1, started=None, ended="2026-02-20", format="ebook")
    given(READING, added, started, finished).when(correct).then(
        has.ReadingCorrected(reading=1, started=None, format="ebook")
    )
    early = do.CorrectReading(at=AT, reading=1, ended="2026-01-31")
    given(READING, added, started, finished).when(early).refused(Invalid, "before it starts", field="ended")
    late = do.CorrectReading(at=AT, reading=1, started="2026-02-21")
    given(READING, added, started, finished).when(late).refused(Invalid, "before it starts", field="started")
    given(READING, added, started).when(do.CorrectReading(at=AT, ended="2026-02-21")).refused(
        Invalid, "has ended", field="ended"
    )


def test_a_reading_is_reopened_removed_and_restored() -> None:
    given(READING, added, started, finished).when(do.ReopenReading(reading=1)).then(
        has.ReadingReopened(reading=1)
    )
    given(READING, added, started).when(do.ReopenReading(reading=1)).then()
    given(READING, added, started).when(do.RemoveReading()).then(removed)
    given(READING, added, started, removed).when(do.RestoreReading(reading=1)).then(
        has.ReadingRestored(reading=1)
    )
    given(READING, added, started).when(do.RestoreReading(reading=1)).then()
    given(READING, added, started).when(do.RestoreReading(reading=2)).refused(NotFound)


def test_two_readings_are_never_open() -> None:
    second = has.ReadingStarted(reading=2)
    given(READING, added, started, finished, second).when(do.ReopenReading(reading=1)).refused(
        Conflict, "reading 2 .* is open"
    )
    given(READING, added, started, removed, second).when(do.RestoreReading(reading=1)).refused(Conflict)


ON_READING: list[Command] = [
    do.NoteProgress(at=AT, reading=1, progress=page_9),
    do.RemoveProgress(reading=1, entry=1),
    do.PauseReading(at=AT, reading=1),
    do.ResumeReading(at=AT, reading=1),
    do.FinishReading(at=AT, reading=1),
    do.AbandonReading(at=AT, reading=1),
    do.CorrectReading(at=AT, reading=1),
    do.ReopenReading(reading=1),
    do.RemoveReading(reading=1),
    do.RateBook(reading=1, stars=1.0),
    do.ReviewBook(reading=1, text="Sand."),
]


@pytest.mark.parametrize("command", ON_READING, ids=lambda command: type(command).__name__)
def test_a_command_on_a_removed_reading_is_refused(command: Command) -> None:
    given(READING, added, started, finished, removed).when(command).refused(NotFound, "no reading 1")
    given(READING, added).when(command).refused(NotFound, "no reading 1")
    given(READING, added, started, has.BookRemoved()).when(command).refused(NotFound, "no such book")


@pytest.mark.parametrize("command", ON_READING[:4], ids=lambda command: type(command).__name__)
def test_a_reading_that_has_ended_takes_no_progress_and_no_pause(command: Command) -> None:
    refused = NotFound if isinstance(command, do.RemoveProgress) else Conflict
    given(READING, added, started, finished).when(command).refused(refused)


def test_a_command_on_the_open_reading_is_refused_if_none_is_open() -> None:
    given(READING, added, started, finished).when(do.PauseReading(at=AT)).refused(
        NotFound, "no reading .* open"
    )


def test_stars_are_for_the_latest_reading_or_the_book_itself() -> None:
    given(READING, added).when(do.RateBook(stars=4.5)).then(has.BookRated(stars=4.5))
    given(READING, added, has.BookRated(stars=4.5)).when(do.RateBook(stars=4.5)).then()
    earlier = has.ReadingFinished(reading=2, finished="2020")
    given(READING, added, started, finished, earlier).when(do.RateBook(stars=2.0)).then(
        has.BookRated(reading=1, stars=2.0)
    )
    given(READING, added, started, finished, earlier).when(do.RateBook(stars=2.0, reading=2)).then(
        has.BookRated(reading=2, stars=2.0)
    )
    given(READING, added, started, finished).when(do.RateBook(stars=4.0)).then()


def test_null_clears_the_stars_and_the_review_that_the_book_shows() -> None:
    later = has.ReadingStarted(reading=2)
    given(READING, added, started, finished, later).when(do.RateBook(stars=None)).then(
        has.BookRated(reading=1, stars=None)
    )
    given(READING, added, started, finished, later).when(do.ReviewBook(text=None)).then(
        has.BookReviewed(reading=1, text=None)
    )
    given(READING, added, has.BookRated(stars=1.0), started).when(do.RateBook(stars=None)).then(
        has.BookRated()
    )
    given(READING, added, started).when(do.RateBook(stars=None)).then()


def test_a_review_may_reveal_the_plot() -> None:
    review = do.ReviewBook(text="He dies.", spoiler=True)
    reviewed = has.BookReviewed(reading=1, text="He dies.", spoiler=True)
    given(READING, added, started).when(review).then(reviewed)
    given(READING, added, started, reviewed).when(review).then()
    given(READING, added, started, reviewed).when(do.ReviewBook(text="He dies.")).then(
        has.BookReviewed(reading=1, text="He dies.")
    )


@pytest.mark.parametrize(
    "command",
    [do.StartReading(at=AT), do.RecordReading(at=AT, end="finished"), do.FinishBook(at=AT)],
    ids=lambda command: type(command).__name__,
)
def test_a_book_has_as_many_readings_as_the_limit_allows(command: Command) -> None:
    readings = [
        event
        for number in range(1, limits.READINGS_MAX + 1)
        for event in (has.ReadingStarted(reading=number), has.ReadingAbandoned(reading=number))
    ]
    given(READING, added, *readings).when(command).refused(Conflict, "up to 500 readings")


def test_a_reading_has_as_many_progress_entries_as_the_limit_allows() -> None:
    progress = ReadingProgress(page=1)
    entries = [
        has.ReadingProgressed(reading=1, entry=number, progress=progress)
        for number in range(1, limits.PROGRESS_ENTRIES_MAX + 1)
    ]
    given(READING, added, started, *entries).when(do.NoteProgress(at=AT, progress=page_9)).refused(
        Conflict, "up to 5000 progress entries"
    )
