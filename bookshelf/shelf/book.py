"""The service newbook: adds, changes and removes books."""

from datetime import date, datetime
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, NotFound
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.route import CommandRoute, Empty
from bookshelf.shelf import field_types
from bookshelf.shelf.events import EVENTS, TOPIC, BookAdded, BookChanged, BookFinished, BookRemoved
from bookshelf.shelf.fields import Book


class NewBook(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a new book."""

    title: field_types.Title
    author: field_types.Author
    published: field_types.Published | None = None
    isbn: field_types.Isbn | None = None
    pages: field_types.Pages | None = None
    language: field_types.Language | None = None
    tags: field_types.Tags = ()
    notes: field_types.Notes | None = None


class BookChanges(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of a book to change (JSON merge patch, RFC 7396): null clears a field."""

    title: field_types.Title | UnsetType = UNSET
    author: field_types.Author | UnsetType = UNSET
    published: field_types.Published | UnsetType | None = UNSET
    isbn: field_types.Isbn | UnsetType | None = UNSET
    pages: field_types.Pages | UnsetType | None = UNSET
    language: field_types.Language | UnsetType | None = UNSET
    tags: field_types.Tags | UnsetType | None = UNSET
    notes: field_types.Notes | UnsetType | None = UNSET


class AddBook(Command, frozen=True):
    """Put a book onto the shelf."""

    TYPE: ClassVar[str] = "shelf.add-book.v1"
    book: NewBook
    at: field_types.Instant


class ChangeBook(Command, frozen=True):
    """Change fields of a book."""

    TYPE: ClassVar[str] = "shelf.change-book.v1"
    changes: BookChanges


class RemoveBook(Command, frozen=True):
    """Take a book off the shelf."""

    TYPE: ClassVar[str] = "shelf.remove-book.v1"


class Shelved(State, frozen=True):
    """The state of a book. It is on the shelf between `added` and `removed`."""

    added: datetime | None = None
    removed: bool = False
    title: str = ""
    author: str = ""
    published: str | None = None
    isbn: str | None = None
    pages: int | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    notes: str | None = None
    done: bool = False
    finished: date | None = None
    rating: int | None = None
    review: str | None = None

    @property
    def here(self) -> bool:
        """True while the book is on the shelf."""
        return self.added is not None and not self.removed


def decide(book: Shelved, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `NotFound`, `Conflict`."""
    match command:
        case AddBook() if book.added is not None:
            raise Conflict("this book is on the shelf already")
        case AddBook(book=new, at=at):
            fields = msgspec.structs.asdict(new) | {"tags": _unique(new.tags)}
            return [BookAdded(**fields, added=at)]
        case ChangeBook() | RemoveBook() if not book.here:
            raise NotFound("there is no such book on the shelf")
        case ChangeBook(changes=changes):
            fields = _changed_fields(book, changes)
            return [BookChanged(**fields)] if fields else []
        case RemoveBook():
            return [BookRemoved()]
    return []


def _changed_fields(book: Shelved, changes: BookChanges) -> dict[str, Any]:
    """Return the fields whose values differ from the book's."""
    given = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not UNSET}
    if "tags" in given:
        given["tags"] = _unique(given["tags"] or ())
    return {name: value for name, value in given.items() if getattr(book, name) != value}


def _unique(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


def evolve(book: Shelved, event: Event) -> Shelved:
    """Return the book after an event."""
    match event:
        case BookAdded():
            return Shelved(**msgspec.structs.asdict(event))
        case BookChanged():
            fields = {
                name: value for name, value in msgspec.structs.asdict(event).items() if value is not UNSET
            }
            return msgspec.structs.replace(book, **fields)
        case BookRemoved():
            return Shelved(added=book.added, removed=True)
        case BookFinished(finished=finished, rating=rating, review=review):
            return msgspec.structs.replace(book, done=True, finished=finished, rating=rating, review=review)
    return book


def to_answer(book_id: str, book: Shelved) -> Book:
    """Return the book as the body of an answer."""
    fields = msgspec.structs.asdict(book)
    done = fields.pop("done")
    del fields["removed"]
    return Book(id=book_id, state="finished" if done else "unread", **fields)


BOOK = Aggregate(
    name="newbook",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Shelved(),
    decide=decide,
    evolve=evolve,
    takes=(AddBook, ChangeBook, RemoveBook),
)

ROUTES = (
    CommandRoute(
        method="POST",
        path="/books",
        summary="Put a book onto the shelf",
        aggregate=BOOK,
        body=NewBook,
        command=lambda body, context: AddBook(book=body, at=context.at),
        answer=to_answer,
        returns=Book,
        status=201,
        creates=True,
    ),
    CommandRoute(
        method="PATCH",
        path="/books/{id}",
        summary="Change fields of a book",
        aggregate=BOOK,
        body=BookChanges,
        command=lambda body, _context: ChangeBook(changes=body),
        answer=to_answer,
        returns=Book,
        status=200,
    ),
    CommandRoute(
        method="DELETE",
        path="/books/{id}",
        summary="Take a book off the shelf",
        aggregate=BOOK,
        body=Empty,
        body_required=False,
        command=lambda _body, _context: RemoveBook(),
    ),
)
