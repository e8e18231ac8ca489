"""The service readbook: records that a book was finished."""

from datetime import date, datetime, timedelta
from typing import ClassVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.route import CommandContext, CommandRoute
from bookshelf.shelf import field_types
from bookshelf.shelf.events import (
    EVENTS,
    TOPIC,
    BookAdded,
    BookFinished,
    BookRemoved,
    BookRestored,
    ReadingFinished,
)


class Finishing(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How it was. The book's own fields may stand beside it, unread: old clients send the whole book."""

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


class FinishBook(Command, frozen=True):
    """The reader has finished this book; `finished` is None if the day is not known."""

    TYPE: ClassVar[str] = "shelf.finish-book.v1"
    at: field_types.Instant
    finished: date | None
    rating: field_types.Rating | None = None
    review: field_types.Review | None = None


class ReadBook(State, frozen=True):
    """The state of reading a book: is the book on the shelf, and was it finished."""

    known: bool = False
    finished: bool = False


def decide(reading: ReadBook, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `NotFound`, `Invalid`."""
    match command:
        case FinishBook() if not reading.known:
            raise NotFound("there is no such book on the shelf")
        case FinishBook() if reading.finished:
            return []
        case FinishBook(finished=date() as day, at=at) if day > at.date() + timedelta(days=1):
            raise Invalid("lies in the future", field="finished")
        case FinishBook():
            return [BookFinished(finished=command.finished, rating=command.rating, review=command.review)]
    return []


def evolve(reading: ReadBook, event: Event) -> ReadBook:
    """Return the reading after an event."""
    match event:
        case BookAdded():
            return ReadBook(known=True)
        case BookRemoved():
            return msgspec.structs.replace(reading, known=False)
        case BookRestored():
            return msgspec.structs.replace(reading, known=True)
        case ReadingFinished():
            return msgspec.structs.replace(reading, finished=True)
    return reading


def finish(body: Finishing, context: CommandContext) -> FinishBook:
    """Return the command for a request's body; a day left out is the day of the command."""
    at = context.at
    return FinishBook(finished=_day(body.finished, at), rating=body.rating, review=body.review, at=at)


def _day(given: str | None, at: datetime) -> date | None:
    if given is None:
        return at.date()
    if given == "unknown":
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise Invalid("is no day of the calendar", field="finished") from None


READING = Aggregate(
    name="readbook",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=ReadBook(),
    decide=decide,
    evolve=evolve,
    takes=(FinishBook,),
    version=2,
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
)
