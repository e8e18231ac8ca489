"""The aggregate of the service readbook: readings, progress, stars, reviews and passages of a book."""

from datetime import date, datetime
from functools import reduce
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.shelf import passages
from bookshelf.shelf import reading_commands as do
from bookshelf.shelf.book_readings import Reading, Readings
from bookshelf.shelf.book_readings import evolve as evolve_readings
from bookshelf.shelf.events import (
    EVENTS,
    TOPIC,
    BookAdded,
    BookChanged,
    BookFinished,
    BookRated,
    BookRemoved,
    BookRestored,
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
from bookshelf.shelf.fields import present
from bookshelf.shelf.limits import PROGRESS_ENTRIES_MAX, READINGS_MAX
from bookshelf.shelf.passages import BookPassages
from bookshelf.shelf.values import Totals, check_date, check_progress, is_before, whole_stars


class ReadBook(State, frozen=True):
    """The state of reading a book: is it on the shelf, whose it is, its totals, its readings and passages."""

    known: bool = False
    owner: str | None = None
    totals: Totals = Totals()
    readings: Readings = Readings()
    passages: BookPassages = BookPassages()


def decide(book: ReadBook, command: Command) -> list[Event]:  # noqa: C901, PLR0911, PLR0912 (one for each command)
    """Return the events that a command leads to. Raises `NotFound`, `Conflict`, `Invalid`."""
    readings = book.readings
    if not book.known:
        raise NotFound("there is no such book on the shelf")
    match command:
        case do.FinishBook():
            return _finish_book(readings, command)
        case do.StartReading():
            return _start(readings, command)
        case do.RecordReading():
            return _record(readings, command)
        case do.NoteProgress():
            return _note_progress(readings, command, book.totals)
        case do.RemoveProgress(reading=given, entry=entry):
            number = _number(readings, given)
            if entry not in readings.by_number[number].entries:
                msg = f"reading {number} of this book has no progress entry {entry}"
                raise NotFound(msg)
            return [ProgressRemoved(reading=number, entry=entry)]
        case do.PauseReading() | do.ResumeReading():
            return _pause_or_resume(readings, command)
        case do.FinishReading():
            return _finish(readings, command)
        case do.AbandonReading():
            return _abandon(readings, command)
        case do.CorrectReading():
            return _correct(readings, command)
        case do.ReopenReading() | do.RemoveReading() | do.RestoreReading():
            return _reopen_remove_restore(readings, command)
        case do.RateBook() | do.ReviewBook():
            return _rate_or_review(readings, command)
    return passages.decide(book.passages, command, book.totals)


def _number(readings: Readings, given: int | None) -> int:
    """Return the number of a reading that is not removed, of the open one for None. Raises `NotFound`."""
    number = readings.open if given is None else given
    if number is None:
        raise NotFound("no reading of this book is open; start one, or give the number of a reading")
    if number not in readings.by_number or readings.by_number[number].removed:
        msg = f"this book has no reading {number}"
        raise NotFound(msg)
    return number


def _open_number(readings: Readings, given: int | None) -> int:
    """Return the number of an open reading. Raises `NotFound`, `Conflict`."""
    number = _number(readings, given)
    if not readings.by_number[number].is_open:
        msg = f"reading {number} of this book is {readings.by_number[number].end}; reopen it first"
        raise Conflict(msg)
    return number


def _check_none_open(readings: Readings) -> None:
    if readings.open is not None:
        msg = f"reading {readings.open} of this book is open; finish, abandon or remove it first"
        raise Conflict(msg)


def _new_number(readings: Readings) -> int:
    """Return the number of a new reading. Raises `Conflict` if there are too many."""
    if len(readings.by_number) >= READINGS_MAX:
        msg = f"a book has up to {READINGS_MAX} readings, and this one has them; correct one of them"
        raise Conflict(msg)
    return readings.next_number


def _date(given: str | UnsetType | None, field: str, at: datetime, after: str | None = None) -> str | None:
    """Return a date that is given, or the day of `at`. Raises `Invalid`, also if it lies before `after`."""
    if given is UNSET:
        return max(at.date().isoformat(), after or "")
    check_date(given, field, at)
    _check_order(after, given, field)
    return given


def _check_order(started: str | None, ended: str | None, field: str) -> None:
    """Return if a reading does not end before it starts. Raises `Invalid`."""
    if started is not None and ended is not None and is_before(ended, started):
        msg = f"makes the reading end ({ended}) before it starts ({started})"
        raise Invalid(msg, field=field)


def _start(readings: Readings, command: do.StartReading) -> list[Event]:
    _check_none_open(readings)
    number, started = _new_number(readings), _date(command.started, "started", command.at)
    return [ReadingStarted(reading=number, started=started, format=command.format)]


def _record(readings: Readings, command: do.RecordReading) -> list[Event]:
    check_date(command.started, "started", command.at)
    ended = _date(command.ended, "ended", command.at, command.started)
    number = _new_number(readings)
    started = ReadingStarted(reading=number, started=command.started, format=command.format)
    if command.end == "abandoned":
        abandoned = ReadingAbandoned(reading=number, on=ended, reason=command.reason)
        return _with_opinions(readings, number, [started, abandoned], command)
    if command.reason is not None:
        raise Invalid("is for an abandoned reading", field="reason")
    return _with_opinions(readings, number, [started, _finished(number, ended, command)], command)


def _finished(
    number: int, ended: str | None, opinion: do.RecordReading | do.FinishReading
) -> ReadingFinished:
    """Return the event of a finished reading; a review that reveals the plot has an event of its own."""
    review = None if opinion.spoiler is True else opinion.review or None
    return ReadingFinished(reading=number, finished=ended, stars=opinion.stars or None, review=review)


def _with_opinions(
    readings: Readings, number: int, events: list[Event], opinion: do.RecordReading | do.FinishReading
) -> list[Event]:
    """Return the events, and those that they lack for the stars and the review that are given."""
    reading = reduce(evolve_readings, events, readings).by_number[number]
    return [*events, *_opinions(number, reading, opinion)]


def _opinions(number: int, reading: Reading, opinion: do.RecordReading | do.FinishReading) -> list[Event]:
    """Return the events that give a reading the stars and the review that are given and differ."""
    stars = reading.stars if opinion.stars is UNSET else opinion.stars
    text = reading.review if opinion.review is UNSET else opinion.review or None
    spoiler = text is not None and (reading.spoiler if opinion.spoiler is UNSET else opinion.spoiler)
    changed: list[Event] = []
    if stars != reading.stars:
        changed.append(BookRated(reading=number, stars=stars))
    if (text or None, spoiler) != (reading.review or None, reading.spoiler):
        changed.append(BookReviewed(reading=number, text=text, spoiler=spoiler))
    return changed


def _note_progress(readings: Readings, command: do.NoteProgress, totals: Totals) -> list[Event]:
    number = _open_number(readings, command.reading)
    reading = readings.by_number[number]
    if len(reading.entries) >= PROGRESS_ENTRIES_MAX:
        msg = f"a reading has up to {PROGRESS_ENTRIES_MAX} progress entries; remove some"
        raise Conflict(msg)
    return [
        ReadingProgressed(
            reading=number,
            entry=reading.last_entry + 1,
            progress=check_progress(command.progress, totals),
            on=_date(command.on, "on", command.at),
            note=command.note,
        )
    ]


def _pause_or_resume(readings: Readings, command: do.PauseReading | do.ResumeReading) -> list[Event]:
    number = _open_number(readings, command.reading)
    on, paused = _date(command.on, "on", command.at), isinstance(command, do.PauseReading)
    if readings.by_number[number].paused == paused:
        return []
    return [ReadingPaused(reading=number, on=on) if paused else ReadingResumed(reading=number, on=on)]


def _finish(readings: Readings, command: do.FinishReading) -> list[Event]:
    number = _number(readings, command.reading)
    reading = readings.by_number[number]
    if reading.end == "abandoned":
        msg = f"reading {number} of this book is abandoned; reopen it first"
        raise Conflict(msg)
    if reading.is_open:
        ended = _date(command.finished, "finished", command.at, reading.started)
        return _with_opinions(readings, number, [_finished(number, ended, command)], command)
    return [
        *_corrected_end(number, reading, command.finished, "finished", command.at),
        *_opinions(number, reading, command),
    ]


def _corrected_end(
    number: int, reading: Reading, given: str | UnsetType | None, field: str, at: datetime
) -> list[Event]:
    """Return the event that corrects the end of a reading, if one is given and differs. Raises `Invalid`."""
    if given is UNSET or given == reading.ended:
        return []
    return [ReadingCorrected(reading=number, ended=_date(given, field, at, reading.started))]


def _abandon(readings: Readings, command: do.AbandonReading) -> list[Event]:
    number = _number(readings, command.reading)
    reading = readings.by_number[number]
    if reading.end == "finished":
        msg = f"reading {number} of this book is finished; reopen it first"
        raise Conflict(msg)
    reason = reading.reason if command.reason is UNSET else command.reason
    if not reading.is_open and reason == reading.reason:
        return _corrected_end(number, reading, command.on, "on", command.at)
    given = reading.ended if command.on is UNSET and not reading.is_open else command.on
    on = _date(given, "on", command.at, reading.started)
    return [ReadingAbandoned(reading=number, on=on, reason=reason)]


def _correct(readings: Readings, command: do.CorrectReading) -> list[Event]:
    number = _number(readings, command.reading)
    reading = readings.by_number[number]
    given = {
        name: value
        for name in ("started", "ended", "format")
        if (value := present(command).get(name, UNSET)) is not UNSET
    }
    for name in ("started", "ended"):
        check_date(given.get(name), name, command.at)
    if reading.is_open and given.get("ended") is not None:
        raise Invalid("is for a reading that has ended; finish or abandon this one", field="ended")
    changed = {name: value for name, value in given.items() if getattr(reading, name) != value}
    dates: dict[str, Any] = {"started": reading.started, "ended": reading.ended} | changed
    _check_order(dates["started"], dates["ended"], "ended" if "ended" in changed else "started")
    return [ReadingCorrected(reading=number, **changed)] if changed else []


def _reopen_remove_restore(
    readings: Readings, command: do.ReopenReading | do.RemoveReading | do.RestoreReading
) -> list[Event]:
    if isinstance(command, do.RestoreReading):
        return _restore(readings, command.reading)
    number = _number(readings, command.reading)
    if isinstance(command, do.RemoveReading):
        return [ReadingRemoved(reading=number)]
    if readings.by_number[number].is_open:
        return []
    _check_none_open(readings)
    return [ReadingReopened(reading=number)]


def _restore(readings: Readings, number: int | None) -> list[Event]:
    reading = None if number is None else readings.by_number.get(number)
    if number is None or reading is None:
        raise NotFound("this book never had such a reading; give the number of a removed one")
    if not reading.removed:
        return []
    if reading.is_open:
        _check_none_open(readings)
    return [ReadingRestored(reading=number)]


def _rate_or_review(readings: Readings, command: do.RateBook | do.ReviewBook) -> list[Event]:
    """Decide on stars or a review: without a number, of the latest reading; null then clears those shown."""
    number = _number(readings, command.reading) if command.reading else None  # 0 is the book itself
    if isinstance(command, do.RateBook):
        if command.reading is None:
            number = readings.rated if command.stars is None else readings.latest()
        if readings.rating_of(number) == command.stars:
            return []
        return [BookRated(reading=number, stars=command.stars)]
    if command.reading is None:
        number = readings.latest() if command.text else readings.reviewed
    text = command.text or None
    spoiler = text is not None and command.spoiler
    if readings.review_of(number) == (text, spoiler):
        return []
    return [BookReviewed(reading=number, text=text, spoiler=spoiler)]


def _finish_book(readings: Readings, command: do.FinishBook) -> list[Event]:
    """Decide the command of the first release: finish the open reading, correct the latest, or record one."""
    day = command.finished.isoformat() if isinstance(command.finished, date) else command.finished
    rating, review = command.rating, command.review
    number = readings.open
    if number is None and (number := readings.latest("finished")) is not None:
        shown = readings.summary
        rating = None if shown.stars is not None and whole_stars(shown.stars) == rating else rating
        review = None if shown.review == review else review
        day = UNSET if day is None else day
    if number is None and not readings.by_number:
        ended = _date(day, "finished", command.at)
        on = None if ended is None else date.fromisoformat(ended)
        return [BookFinished(finished=on, rating=rating, review=review)]
    finish = do.FinishReading(
        at=command.at,
        reading=number,
        finished=day,
        stars=UNSET if rating is None or _rounds(readings, number, rating) else float(rating),
        review=review or UNSET,
    )
    if number is None:
        return [_finished(_new_number(readings), _date(day, "finished", command.at), finish)]
    return _finish(readings, finish)


def _rounds(readings: Readings, number: int | None, rating: int) -> bool:
    """Return True if a rating rounds the stars that a reading has already."""
    stars = None if number is None else readings.by_number[number].stars
    return stars is not None and whole_stars(stars) == rating


def evolve(book: ReadBook, event: Event) -> ReadBook:
    """Return the state after an event."""
    replace = msgspec.structs.replace
    match event:
        case BookAdded(pages=pages, minutes=minutes, owner=owner):
            return ReadBook(known=True, owner=owner, totals=Totals(pages, minutes))
        case BookChanged():
            changed = {
                name: value for name in ("pages", "minutes") if (value := getattr(event, name)) is not UNSET
            }
            return replace(book, totals=replace(book.totals, **changed)) if changed else book
        case BookRemoved():
            return replace(book, known=False)
        case BookRestored():
            return replace(book, known=True)
    readings = evolve_readings(book.readings, event)
    if readings is not book.readings:
        return replace(book, readings=readings)
    noted = passages.evolve(book.passages, event)
    return book if noted is book.passages else replace(book, passages=noted)


READING = Aggregate(
    name="readbook",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=ReadBook(),
    decide=decide,
    evolve=evolve,
    takes=(
        do.FinishBook,
        do.StartReading,
        do.RecordReading,
        do.NoteProgress,
        do.RemoveProgress,
        do.PauseReading,
        do.ResumeReading,
        do.FinishReading,
        do.AbandonReading,
        do.CorrectReading,
        do.ReopenReading,
        do.RemoveReading,
        do.RestoreReading,
        do.RateBook,
        do.ReviewBook,
        do.AddPassage,
        do.ChangePassage,
        do.RemovePassage,
    ),
    version=4,
    owner=lambda book: book.owner,
)
