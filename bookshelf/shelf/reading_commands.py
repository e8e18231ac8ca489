"""The commands of READING, and the bodies of the requests that lead to them.

A date that is left out is the day of the command (UTC) where something happens now, and unknown in the record
of a past reading; null is unknown. `reading` is the number of a reading; left out, it is the open one.
"""

from datetime import date
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bookshelf.cqrs.message import Command, sealed
from bookshelf.shelf import field_types, limits
from bookshelf.shelf.field_types import prose

ReadingNumber = Annotated[int, Meta(ge=1, description="the number of the reading", examples=[1])]
OpinionOf = Annotated[
    int, Meta(ge=0, description="the number of the reading; 0 is the book itself", examples=[1])
]
Date = field_types.PartialDate | UnsetType | None
Note = Annotated[str, sealed("note"), prose(limits.NOTES_MAX, "a note of the reader", "The worms come.")]
Reason = Annotated[
    str, sealed("reason"), prose(limits.REASON_MAX, "why the reading was given up", "Too much sand.")
]
Quote = Annotated[
    str, sealed("quote"), prose(limits.PASSAGE_MAX, "words of the book", "Fear is the mind-killer.")
]
PassageNote = Annotated[str, sealed("note"), prose(limits.PASSAGE_MAX, "a note on a passage", "The litany.")]
Spoiler = Annotated[bool, Meta(description="true if the review reveals the plot", examples=[False])]


class ReadingBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of the bodies of requests on readings."""


class StartBody(ReadingBody, frozen=True):
    """A reading that starts now."""

    started: Date = UNSET
    format: field_types.Format | None = None


class RecordBody(ReadingBody, frozen=True, kw_only=True):
    """A past reading. `reason` is for an abandoned one."""

    end: Annotated[
        Literal["finished", "abandoned"],
        Meta(description="how a past reading ended; left out for one that starts now"),
    ]
    started: field_types.PartialDate | None = None
    ended: field_types.PartialDate | None = None
    format: field_types.Format | None = None
    stars: field_types.Stars | None = None
    review: field_types.Review | None = None
    spoiler: Spoiler = False
    reason: Reason | None = None


class ProgressNoteBody(ReadingBody, frozen=True):
    """How far the open reading has come."""

    progress: field_types.ProgressBody
    on: Date = UNSET
    note: Note | None = None


class DayBody(ReadingBody, frozen=True):
    """The day on which something happened."""

    on: Date = UNSET


class AbandonBody(DayBody, frozen=True):
    """When a reading was given up, and why."""

    reason: Reason | UnsetType | None = UNSET


class FinishBody(ReadingBody, frozen=True):
    """When a reading was finished, and how it was. Of a finished reading, the given values are corrected."""

    finished: Date = UNSET
    stars: field_types.Stars | UnsetType | None = UNSET
    review: field_types.Review | UnsetType | None = UNSET
    spoiler: Spoiler | UnsetType = UNSET


class CorrectBody(ReadingBody, frozen=True):
    """Fields of a reading to correct (JSON merge patch, RFC 7396): null is unknown."""

    started: Date = UNSET
    ended: Date = UNSET
    format: field_types.Format | UnsetType | None = UNSET


class RatingBody(ReadingBody, frozen=True):
    """Stars for a reading; the latest if `reading` is left out, the book itself if it has none or for 0."""

    stars: field_types.Stars | None
    reading: OpinionOf | None = None


class ReviewBody(ReadingBody, frozen=True):
    """A review of a reading; the latest if `reading` is left out, the book itself if it has none or for 0."""

    text: field_types.Review | None
    spoiler: Spoiler = False
    reading: OpinionOf | None = None


class PassageBody(ReadingBody, frozen=True):
    """A quote, a note, or both, with an optional place in the book."""

    quote: Quote | None = None
    note: PassageNote | None = None
    progress: field_types.ProgressBody | None = None


class PassageChanges(ReadingBody, frozen=True):
    """Fields of a passage to change (JSON merge patch, RFC 7396): null clears one."""

    quote: Quote | UnsetType | None = UNSET
    note: PassageNote | UnsetType | None = UNSET
    progress: field_types.ProgressBody | UnsetType | None = UNSET


class StartReading(StartBody, Command, frozen=True, kw_only=True):
    """Start a reading; no other may be open."""

    TYPE: ClassVar[str] = "shelf.start-reading.v1"
    at: field_types.Instant


class RecordReading(RecordBody, Command, frozen=True, kw_only=True):
    """Record a past reading."""

    TYPE: ClassVar[str] = "shelf.record-reading.v1"
    at: field_types.Instant


class NoteProgress(ProgressNoteBody, Command, frozen=True, kw_only=True):
    """Note how far the open reading has come."""

    TYPE: ClassVar[str] = "shelf.note-progress.v1"
    at: field_types.Instant
    reading: ReadingNumber | None = None


class RemoveProgress(Command, frozen=True, kw_only=True):
    """Remove a progress entry of the open reading."""

    TYPE: ClassVar[str] = "shelf.remove-progress.v1"
    reading: ReadingNumber | None = None
    entry: int


class PauseReading(DayBody, Command, frozen=True, kw_only=True):
    """Pause the open reading."""

    TYPE: ClassVar[str] = "shelf.pause-reading.v1"
    at: field_types.Instant
    reading: ReadingNumber | None = None


class ResumeReading(DayBody, Command, frozen=True, kw_only=True):
    """Go on with the paused reading."""

    TYPE: ClassVar[str] = "shelf.resume-reading.v1"
    at: field_types.Instant
    reading: ReadingNumber | None = None


class FinishReading(FinishBody, Command, frozen=True, kw_only=True):
    """Finish the open reading, or correct a finished one."""

    TYPE: ClassVar[str] = "shelf.finish-reading.v1"
    at: field_types.Instant
    reading: ReadingNumber | None = None


class AbandonReading(AbandonBody, Command, frozen=True, kw_only=True):
    """Give up the open reading, or correct an abandoned one."""

    TYPE: ClassVar[str] = "shelf.abandon-reading.v1"
    at: field_types.Instant
    reading: ReadingNumber | None = None


class CorrectReading(CorrectBody, Command, frozen=True, kw_only=True):
    """Correct dates or format of a reading."""

    TYPE: ClassVar[str] = "shelf.correct-reading.v1"
    at: field_types.Instant
    reading: ReadingNumber | None = None


class ReopenReading(Command, frozen=True, kw_only=True):
    """Open a finished or abandoned reading again."""

    TYPE: ClassVar[str] = "shelf.reopen-reading.v1"
    reading: ReadingNumber | None = None


class RemoveReading(Command, frozen=True, kw_only=True):
    """Remove a reading."""

    TYPE: ClassVar[str] = "shelf.remove-reading.v1"
    reading: ReadingNumber | None = None


class RestoreReading(Command, frozen=True, kw_only=True):
    """Put a removed reading back."""

    TYPE: ClassVar[str] = "shelf.restore-reading.v1"
    reading: ReadingNumber | None = None


class FinishBook(Command, frozen=True, kw_only=True):
    """The reader has finished this book. `finished`: None if the day is not known, UNSET for that of `at`.

    It finishes the open reading, corrects the latest finished one, or records a new one.
    """

    TYPE: ClassVar[str] = "shelf.finish-book.v1"
    at: field_types.Instant
    finished: date | UnsetType | None = UNSET
    rating: field_types.Rating | None = None
    review: field_types.Review | None = None


class RateBook(RatingBody, Command, frozen=True, kw_only=True):
    """Give stars; None clears them."""

    TYPE: ClassVar[str] = "shelf.rate-book.v1"


class ReviewBook(ReviewBody, Command, frozen=True, kw_only=True):
    """Give a review; None clears it."""

    TYPE: ClassVar[str] = "shelf.review-book.v1"


class AddPassage(PassageBody, Command, frozen=True, kw_only=True):
    """Add a passage to a book."""

    TYPE: ClassVar[str] = "shelf.add-passage.v1"


class ChangePassage(PassageChanges, Command, frozen=True, kw_only=True):
    """Change fields of a passage."""

    TYPE: ClassVar[str] = "shelf.change-passage.v1"
    passage: int


class RemovePassage(Command, frozen=True, kw_only=True):
    """Remove a passage."""

    TYPE: ClassVar[str] = "shelf.remove-passage.v1"
    passage: int
