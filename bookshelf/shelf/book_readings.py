"""The readings of one book: a pure fold of events, and what is computed from it: the book's state and stars.

Used wherever readings matter: BOOK, READING, the states of a book at a given time.
"""

from datetime import date
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from bookshelf.cqrs.message import Event
from bookshelf.shelf.events import (
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
from bookshelf.shelf.fields import BookState, present
from bookshelf.shelf.values import ReadingProgress, whole_stars

End = Literal["open", "finished", "abandoned"]


class ProgressEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a reading had come on a day, maybe with a note."""

    progress: ReadingProgress
    on: str | None = None
    note: str | None = None


class Reading(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reading of a book. `ended` is a partial date, `last_entry` the highest number of an entry."""

    started: str | None = None
    ended: str | None = None
    end: End = "open"
    paused: bool = False
    format: str | None = None
    reason: str | None = None
    stars: float | None = None
    review: str | None = None
    spoiler: bool = False
    entries: dict[int, ProgressEntry] = {}
    last_entry: int = 0
    removed: bool = False

    @property
    def is_open(self) -> bool:
        """True if the reading has neither finished nor been abandoned."""
        return self.end == "open"

    @property
    def progress(self) -> ReadingProgress | None:
        """The progress of the latest entry: by date, entries without one first, then by number."""
        if not self.entries:
            return None
        latest = max(self.entries, key=lambda number: (self.entries[number].on or "", number))
        return self.entries[latest].progress


class ReadingSummary(msgspec.Struct, frozen=True):
    """What a book shows of its readings. `finished` is a partial date, `readings` the number of them."""

    state: BookState = "unread"
    finished: str | None = None
    stars: float | None = None
    review: str | None = None
    spoiler: bool = False
    readings: int = 0
    progress: ReadingProgress | None = None

    def to_fields(self) -> dict[str, Any]:
        """Return the fields of a book's answer: later ones only if those of the first release do not do."""
        is_day = self.finished is not None and len(self.finished) == len("2024-03-01")
        rating = None if self.stars is None else whole_stars(self.stars)
        return {
            "state": self.state,
            "finished": date.fromisoformat(self.finished) if is_day and self.finished else None,
            "finished_on": None if is_day else self.finished,
            "rating": rating,
            "stars": None if rating == self.stars else self.stars,
            "review": self.review,
            "spoiler": self.spoiler,
            "readings": self.readings if self.readings > 1 else None,
            "progress": self.progress,
        }


class Readings(msgspec.Struct, frozen=True, omit_defaults=True):
    """All readings of a book by number, removed ones too; and the stars and the review of the book itself."""

    by_number: dict[int, Reading] = {}
    stars: float | None = None
    review: str | None = None
    spoiler: bool = False

    @property
    def next_number(self) -> int:
        """The number of the next reading; numbers of removed readings are not used again."""
        return max(self.by_number, default=0) + 1

    @property
    def in_order(self) -> tuple[int, ...]:
        """The numbers of the readings that are not removed, by date: unknown ones first, an open one last."""
        present = (number for number, reading in self.by_number.items() if not reading.removed)
        return tuple(sorted(present, key=self._place))

    def _place(self, number: int) -> tuple[bool, str, int]:
        reading = self.by_number[number]
        return reading.is_open, reading.ended or reading.started or "", number

    @property
    def open(self) -> int | None:
        """The number of the open reading; None if none is open."""
        return self.latest("open")

    def latest(self, end: End | None = None) -> int | None:
        """Return the number of the latest reading, or of the latest with this end; None if there is none."""
        numbers = [n for n in self.in_order if end is None or self.by_number[n].end == end]
        return numbers[-1] if numbers else None

    @property
    def rated(self) -> int | None:
        """The number of the reading whose stars the book shows: the latest that has some; else None."""
        return next((n for n in reversed(self.in_order) if self.by_number[n].stars is not None), None)

    @property
    def reviewed(self) -> int | None:
        """The number of the reading whose review the book shows: the latest that has one; else None."""
        return next((n for n in reversed(self.in_order) if self.by_number[n].review is not None), None)

    def rating_of(self, number: int | None) -> float | None:
        """Return the stars of a reading, or of the book itself."""
        return self.stars if number is None else self.by_number[number].stars

    def review_of(self, number: int | None) -> tuple[str | None, bool]:
        """Return the review of a reading, or of the book itself, and whether it reveals the plot."""
        holder = self if number is None else self.by_number[number]
        return holder.review, holder.spoiler

    @property
    def state(self) -> BookState:
        """The state of the book."""
        ends = {self.by_number[number].end: number for number in self.in_order}
        if "open" in ends:
            return "paused" if self.by_number[ends["open"]].paused else "reading"
        return "finished" if "finished" in ends else "abandoned" if "abandoned" in ends else "unread"

    @property
    def summary(self) -> ReadingSummary:
        """What the book shows of its readings."""
        if not self.by_number:
            return ReadingSummary(stars=self.stars, review=self.review, spoiler=self.spoiler)
        is_open, finished = self.open, self.latest("finished")
        review, spoiler = self.review_of(self.reviewed)
        return ReadingSummary(
            state=self.state,
            finished=None if finished is None else self.by_number[finished].ended,
            stars=self.rating_of(self.rated),
            review=review,
            spoiler=spoiler,
            readings=len(self.in_order),
            progress=None if is_open is None else self.by_number[is_open].progress,
        )


def evolve(readings: Readings, event: Event) -> Readings:
    """Return the readings after an event; the same ones if it does not concern them."""
    number: int | None = getattr(event, "reading", None)
    match event:
        case BookRated(reading=None, stars=stars):
            return replace(readings, stars=stars)
        case BookReviewed(reading=None, text=text, spoiler=spoiler):
            return replace(readings, review=text, spoiler=spoiler)
        case ReadingStarted() | ReadingFinished() if number not in readings.by_number:
            before = Reading()
        case _ if number in readings.by_number:
            before = readings.by_number[number]
        case _:
            return readings
    return replace(readings, by_number={**readings.by_number, number: _evolve_reading(before, event)})


def _evolve_reading(reading: Reading, event: Event) -> Reading:  # noqa: C901, PLR0911, PLR0912 (one for each event)
    match event:
        case ReadingStarted(started=started, format=form):
            return Reading(started=started, format=form)
        case ReadingProgressed(entry=entry, progress=progress, on=on, note=note):
            entries = {**reading.entries, entry: ProgressEntry(progress, on, note)}
            return replace(reading, entries=entries, last_entry=max(entry, reading.last_entry))
        case ProgressRemoved(entry=removed):
            left = {number: entry for number, entry in reading.entries.items() if number != removed}
            return replace(reading, entries=left)
        case ReadingPaused():
            return replace(reading, paused=True)
        case ReadingResumed():
            return replace(reading, paused=False)
        case ReadingFinished(finished=ended, stars=stars, review=review):
            rated = reading.stars if stars is None else stars
            ending = replace(reading, end="finished", ended=ended, paused=False, reason=None, stars=rated)
            return ending if review is None else replace(ending, review=review, spoiler=False)
        case ReadingAbandoned(on=ended, reason=reason):
            return replace(reading, end="abandoned", ended=ended, paused=False, reason=reason)
        case ReadingReopened():
            return replace(reading, end="open", ended=None, reason=None)
        case ReadingCorrected():
            corrected = present(event)
            del corrected["reading"]
            return replace(reading, **corrected)
        case ReadingRemoved():
            return replace(reading, removed=True)
        case ReadingRestored():
            return replace(reading, removed=False)
        case BookRated(stars=stars):
            return replace(reading, stars=stars)
        case BookReviewed(text=text, spoiler=spoiler):
            return replace(reading, review=text, spoiler=spoiler)
    return reading
