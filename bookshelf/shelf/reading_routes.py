"""The routes of the service readbook: requests on readings, stars, reviews, passages, and their answers."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bookshelf.cqrs.errors import Invalid
from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.message import Command
from bookshelf.cqrs.route import CommandRoute, Empty
from bookshelf.shelf import field_types
from bookshelf.shelf import reading_commands as do
from bookshelf.shelf.book_readings import End, Reading
from bookshelf.shelf.fields import Book
from bookshelf.shelf.passages import Passage
from bookshelf.shelf.reading import READING, ReadBook
from bookshelf.shelf.values import ReadingProgress


class _FirstFinishing(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    finished: field_types.Day | None = None
    rating: field_types.Rating | None = None
    review: field_types.Review | None = None
    id: field_types.Unread = None
    title: field_types.Unread = None
    author: field_types.Unread = None
    published: field_types.Unread = None
    isbn: field_types.Unread = None
    pages: field_types.Unread = None
    language: field_types.Unread = None
    tags: field_types.Unread = None
    notes: field_types.Unread = None
    state: field_types.Unread = None
    added: field_types.Unread = None


_LATER = [name for name in Book.__struct_fields__ if name not in _FirstFinishing.__struct_fields__]
_AnyFinishing: Any = msgspec.defstruct(
    "_AnyFinishing",
    [(name, field_types.Unread, None) for name in _LATER],
    bases=(_FirstFinishing,),
    omit_defaults=True,
    forbid_unknown_fields=True,
)


class Finishing(_AnyFinishing):  # type: ignore[misc]  # derived
    """How it was. The book's own fields may stand beside it, unread: old clients send the whole book."""


class NewReadingBody(do.ReadingBody, frozen=True):
    """A reading that starts now; or, with `end`, a past one.

    If `started` is left out, it is the day of the request (UTC) for a reading that starts now, and unknown
    for a past one. Null is unknown.
    """

    started: do.Date = UNSET
    format: field_types.Format | None = None
    end: (
        Annotated[
            Literal["finished", "abandoned"],
            Meta(description="how a past reading ended; left out for one that starts now"),
        ]
        | UnsetType
    ) = UNSET
    ended: field_types.PartialDate | None = None
    stars: field_types.Stars | None = None
    review: field_types.Review | None = None
    spoiler: do.Spoiler = False
    reason: do.Reason | None = None


class ReadingPath(msgspec.Struct, forbid_unknown_fields=True):
    """Which reading: its number, or `current` for the open one."""

    n: Annotated[
        str,
        Meta(
            pattern=r"^([1-9][0-9]{0,8}|current)$(?!\n)",
            extra={"hint": "is the number of a reading, or current"},
            description="the number of the reading, or current: the open one",
            examples=["current"],
        ),
    ]


class ProgressPath(ReadingPath):
    """Which progress entry of which reading."""

    entry: Annotated[int, Meta(ge=1, description="the number of the progress entry", examples=[1])]


class PassagePath(msgspec.Struct, forbid_unknown_fields=True):
    """Which passage."""

    n: Annotated[int, Meta(ge=1, description="the number of the passage", examples=[1])]


class ProgressAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A progress entry of a reading."""

    entry: Annotated[int, Meta(description="its number in the reading", examples=[1])]
    progress: ReadingProgress
    on: Annotated[str | None, Meta(description="the day", examples=["2024-03-01"])] = None
    note: Annotated[str | None, Meta(examples=["The worms come."])] = None


class NewProgressAnswer(ProgressAnswer, frozen=True, kw_only=True):
    """A new progress entry, with the number of its reading."""

    reading: do.ReadingNumber


class ReadingAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reading of a book. Fields without a value are left out."""

    number: Annotated[int, Meta(description="its number, which never changes", examples=[1])]
    started: Annotated[str | None, Meta(examples=["2024-02"])] = None
    ended: Annotated[str | None, Meta(examples=["2024-03-01"])] = None
    end: End = msgspec.field()
    paused: bool = False
    format: Annotated[str | None, Meta(examples=["paperback"])] = None
    reason: Annotated[str | None, Meta(description="why it was given up")] = None
    stars: Annotated[float | None, Meta(examples=[4.5])] = None
    review: Annotated[str | None, Meta(examples=["The sleeper must awaken."])] = None
    spoiler: Annotated[bool, Meta(description="true if the review reveals the plot")] = False
    progress: Annotated[ReadingProgress | None, Meta(description="that of its latest entry")] = None
    entries: Annotated[tuple[ProgressAnswer, ...], Meta(description="its progress entries")] = ()


class PassageAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A passage of a book. Fields without a value are left out."""

    number: Annotated[int, Meta(description="its number, which never changes", examples=[1])]
    quote: Annotated[str | None, Meta(examples=["Fear is the mind-killer."])] = None
    note: Annotated[str | None, Meta(examples=["The litany."])] = None
    progress: Annotated[ReadingProgress | None, Meta(description="its place in the book")] = None


def to_reading_answer(number: int, reading: Reading) -> ReadingAnswer:
    """Return a reading as the body of an answer."""
    fields = msgspec.structs.asdict(reading)
    for name in ("last_entry", "removed"):
        del fields[name]
    fields["entries"] = tuple(
        ProgressAnswer(entry=entry, **msgspec.structs.asdict(noted))
        for entry, noted in sorted(reading.entries.items())
    )
    return ReadingAnswer(number=number, progress=reading.progress, **fields)


def to_passage_answer(number: int, passage: Passage) -> PassageAnswer:
    """Return a passage as the body of an answer."""
    return PassageAnswer(number=number, **msgspec.structs.asdict(passage))


def finish(body: Finishing, context: RequestContext) -> do.FinishBook:
    """Return the command for a request's body; a day left out is the day of the command."""
    return do.FinishBook(at=context.at, finished=_day(body.finished), rating=body.rating, review=body.review)


def _day(given: str | None) -> date | UnsetType | None:
    if given is None:
        return UNSET
    if given == "unknown":
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise Invalid("is no day of the calendar", field="finished") from None


_OF_A_PAST_READING = ("ended", "stars", "review", "spoiler", "reason")


def start_or_record(body: NewReadingBody, context: RequestContext) -> Command:
    """Return the command for a new reading. Raises `Invalid`."""
    fields = msgspec.structs.asdict(body)
    if body.end is UNSET:
        for name in _OF_A_PAST_READING:
            if fields[name]:
                raise Invalid("is for a past reading; give its `end`, too", field=name)
        return do.StartReading(at=context.at, started=body.started, format=body.format)
    fields["started"] = None if body.started is UNSET else body.started
    return do.RecordReading(at=context.at, **fields)


def _open_or(number: str) -> int | None:
    return None if number == "current" else int(number)


def _number_of(book: ReadBook, context: RequestContext) -> int:
    number = _open_or(context.params.n)
    return number if number is not None else book.readings.open or book.readings.next_number - 1


def _newest_reading(_id: str, book: ReadBook, _context: RequestContext) -> ReadingAnswer:
    number = book.readings.next_number - 1
    return to_reading_answer(number, book.readings.by_number[number])


def _the_reading(_id: str, book: ReadBook, context: RequestContext) -> ReadingAnswer:
    number = _number_of(book, context)
    return to_reading_answer(number, book.readings.by_number[number])


def _newest_progress(_id: str, book: ReadBook, context: RequestContext) -> NewProgressAnswer:
    number = _number_of(book, context)
    reading = book.readings.by_number[number]
    entry = msgspec.structs.asdict(reading.entries[reading.last_entry])
    return NewProgressAnswer(reading=number, entry=reading.last_entry, **entry)


def _newest_passage(_id: str, book: ReadBook, _context: RequestContext) -> PassageAnswer:
    number = book.passages.last_number
    return to_passage_answer(number, book.passages.by_number[number])


def _the_passage(_id: str, book: ReadBook, context: RequestContext) -> PassageAnswer:
    return to_passage_answer(context.params.n, book.passages.by_number[context.params.n])


def _on_reading(kind: type[Any]) -> Callable[[Any, RequestContext], Any]:
    """Return the function that makes a command on one reading of a body's fields."""
    has_time = "at" in kind.__struct_fields__

    def command(body: msgspec.Struct, context: RequestContext) -> Any:  # noqa: ANN401 (a command of this kind)
        fields = {**msgspec.structs.asdict(body), "reading": _open_or(context.params.n)}
        return kind(**fields, at=context.at) if has_time else kind(**fields)

    return command


def _reading_route(
    step: str, summary: str, kind: type[Command], body: type[msgspec.Struct] = Empty
) -> CommandRoute:
    """Return the route of a step in the life of a reading, whose body may be left out."""
    return CommandRoute(
        method="POST",
        path=f"/books/{{id}}/readings/{{n}}/{step}",
        summary=summary,
        aggregate=READING,
        body=body,
        body_required=False,
        params=ReadingPath,
        command=_on_reading(kind),
    )


ROUTES = (
    CommandRoute(
        method="POST",
        path="/books/{id}/finished",
        summary="Mark a book as finished",
        aggregate=READING,
        body=Finishing,
        body_required=False,
        command=finish,
    ),
    CommandRoute(
        method="POST",
        path="/books/{id}/readings",
        summary="Start a reading, or record a past one",
        aggregate=READING,
        body=NewReadingBody,
        body_required=False,
        command=start_or_record,
        part=_newest_reading,
        returns=ReadingAnswer,
        status=201,
        location="/books/{id}/readings/{body.number}",
    ),
    CommandRoute(
        method="PATCH",
        path="/books/{id}/readings/{n}",
        summary="Correct dates or format of a reading",
        aggregate=READING,
        body=do.CorrectBody,
        params=ReadingPath,
        command=_on_reading(do.CorrectReading),
        part=_the_reading,
        returns=ReadingAnswer,
        status=200,
    ),
    CommandRoute(
        method="DELETE",
        path="/books/{id}/readings/{n}",
        summary="Remove a reading",
        aggregate=READING,
        body_required=False,
        params=ReadingPath,
        command=_on_reading(do.RemoveReading),
    ),
    _reading_route("paused", "Pause the open reading", do.PauseReading, do.DayBody),
    _reading_route("resumed", "Go on with a paused reading", do.ResumeReading, do.DayBody),
    _reading_route("abandoned", "Give a reading up", do.AbandonReading, do.AbandonBody),
    _reading_route(
        "finished", "Finish a reading, or correct a finished one", do.FinishReading, do.FinishBody
    ),
    _reading_route("reopened", "Open a finished or abandoned reading again", do.ReopenReading),
    _reading_route("restored", "Put a removed reading back", do.RestoreReading),
    CommandRoute(
        method="POST",
        path="/books/{id}/readings/{n}/progress",
        summary="Note how far the open reading has come",
        aggregate=READING,
        body=do.ProgressNoteBody,
        params=ReadingPath,
        command=_on_reading(do.NoteProgress),
        part=_newest_progress,
        returns=NewProgressAnswer,
        status=201,
        location="/books/{id}/readings/{body.reading}/progress/{body.entry}",
    ),
    CommandRoute(
        method="DELETE",
        path="/books/{id}/readings/{n}/progress/{entry}",
        summary="Remove a progress entry",
        aggregate=READING,
        body_required=False,
        params=ProgressPath,
        command=lambda _body, context: do.RemoveProgress(
            reading=_open_or(context.params.n), entry=context.params.entry
        ),
    ),
    CommandRoute(
        method="PUT",
        path="/books/{id}/rating",
        summary="Give stars to a book or one of its readings",
        aggregate=READING,
        body=do.RatingBody,
        command=lambda body, _context: do.RateBook(**msgspec.structs.asdict(body)),
    ),
    CommandRoute(
        method="PUT",
        path="/books/{id}/review",
        summary="Review a book or one of its readings",
        aggregate=READING,
        body=do.ReviewBody,
        command=lambda body, _context: do.ReviewBook(**msgspec.structs.asdict(body)),
    ),
    CommandRoute(
        method="POST",
        path="/books/{id}/passages",
        summary="Add a passage: a quote, a note, or both",
        aggregate=READING,
        body=do.PassageBody,
        command=lambda body, _context: do.AddPassage(**msgspec.structs.asdict(body)),
        part=_newest_passage,
        returns=PassageAnswer,
        status=201,
        location="/books/{id}/passages/{body.number}",
    ),
    CommandRoute(
        method="PATCH",
        path="/books/{id}/passages/{n}",
        summary="Change fields of a passage",
        aggregate=READING,
        body=do.PassageChanges,
        params=PassagePath,
        command=lambda body, context: do.ChangePassage(
            passage=context.params.n, **msgspec.structs.asdict(body)
        ),
        part=_the_passage,
        returns=PassageAnswer,
        status=200,
    ),
    CommandRoute(
        method="DELETE",
        path="/books/{id}/passages/{n}",
        summary="Remove a passage",
        aggregate=READING,
        body_required=False,
        params=PassagePath,
        command=lambda _body, context: do.RemovePassage(passage=context.params.n),
    ),
)
