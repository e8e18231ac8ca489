"""The service newbook: adds, changes, removes and restores books, and sets their covers."""

import re
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.route import CommandRoute, Empty
from bookshelf.shelf import field_types, limits
from bookshelf.shelf.book_readings import Readings
from bookshelf.shelf.book_readings import evolve as evolve_readings
from bookshelf.shelf.events import (
    EVENTS,
    TOPIC,
    BookAdded,
    BookChanged,
    BookRemoved,
    BookRestored,
    CoverRemoved,
    CoverSet,
)
from bookshelf.shelf.fields import DEFAULTS, Book, BookChanges, BookFields, NewBook, present, to_book
from bookshelf.shelf.values import Contributor, Cover, SeriesEntry, check_date, derived_author

#: Ids that no book can have: segments of paths, and the keys of lists and goals.
RESERVED_IDS = re.compile(r"add|bulk|facets|last|suggest|up-next(:.*)?|goal-.*", re.DOTALL)


class Removal(msgspec.Struct, forbid_unknown_fields=True, rename={"merged_into": "merged-into"}):
    """The parameters of a request that removes a book."""

    merged_into: field_types.MergedInto | None = None


class AddBook(Command, frozen=True):
    """Put a book onto the shelf of `owner` (None: the local reader)."""

    TYPE: ClassVar[str] = "shelf.add-book.v1"
    book: NewBook
    at: field_types.Instant
    owner: str | None = None


class ChangeBook(Command, frozen=True):
    """Change fields of a book."""

    TYPE: ClassVar[str] = "shelf.change-book.v1"
    changes: BookChanges


class RemoveBook(Command, frozen=True):
    """Take a book off the shelf; `merged_into` is the book that takes over its readings, if any."""

    TYPE: ClassVar[str] = "shelf.remove-book.v1"
    merged_into: field_types.MergedInto | None = None


class RestoreBook(Command, frozen=True):
    """Put a removed book back."""

    TYPE: ClassVar[str] = "shelf.restore-book.v1"


class SetCover(Command, frozen=True):
    """Set the image of a book's cover; the image itself is stored under its digest."""

    TYPE: ClassVar[str] = "shelf.set-cover.v1"
    cover: field_types.CoverBody


class RemoveCover(Command, frozen=True):
    """Remove the image of a book's cover."""

    TYPE: ClassVar[str] = "shelf.remove-cover.v1"


class Shelved(BookFields, State, frozen=True):
    """The state of a book, on the shelf from `added` to `removed`. A removed book keeps its fields."""

    added: datetime | None = None
    owner: str | None = None
    removed: bool = False
    cover: Cover | None = None
    readings: Readings = Readings()

    @property
    def here(self) -> bool:
        """True while the book is on the shelf."""
        return self.added is not None and not self.removed


def decide(book: Shelved, command: Command) -> list[Event]:  # noqa: PLR0911 (one for each command)
    """Return the events that a command leads to. Raises `NotFound`, `Conflict`, `Invalid`."""
    match command:
        case AddBook() if book.removed:
            raise Conflict(
                "this book was on the shelf already and was removed; POST /books/{id}/restored puts it back"
            )
        case AddBook() if book.added is not None:
            raise Conflict("this book is on the shelf already")
        case AddBook():
            return [_added(command)]
        case RestoreBook() if book.added is not None:
            return [BookRestored()] if book.removed else []
        case _ if not book.here:
            raise NotFound("there is no such book on the shelf")
        case ChangeBook(changes=changes):
            fields = _changed_fields(book, changes)
            return [BookChanged(**fields)] if fields else []
        case RemoveBook(merged_into=merged_into):
            return [BookRemoved(merged_into=merged_into)]
        case SetCover(cover=cover):
            given = msgspec.structs.asdict(cover)
            return [] if book.cover == Cover(**given) else [CoverSet(**given)]
        case RemoveCover() if book.cover is not None:
            return [CoverRemoved()]
    return []


def _added(command: AddBook) -> BookAdded:
    given = _plain(command.book, BookFields())
    added = given.pop("added", command.at)
    given.pop("id", None)
    if added > command.at + timedelta(days=1):
        raise Invalid("lies in the future", field="added")
    check_date(given.get("lent_on"), "lent_on", command.at)
    if "contributors" in given:
        _derive_author(given)
    elif "author" not in given:
        raise Invalid("is required, or contributors", field="author")
    return BookAdded(**given, added=added, owner=command.owner)


def _changed_fields(book: Shelved, changes: BookChanges) -> dict[str, Any]:
    """Return the fields whose values differ from the book's. Raises `Invalid`."""
    given = _plain(changes, book)
    check_date(given.get("lent_on"), "lent_on")
    changed = {name: value for name, value in given.items() if getattr(book, name) != value}
    if "contributors" in changed or ("contributors" in given and "author" not in given):
        changed["contributors"] = given["contributors"]
        _derive_author(changed)
    elif "author" in changed and book.contributors:
        others = tuple(person for person in book.contributors if person.role != "author")
        changed["contributors"] = (Contributor(changed["author"]), *others)
    return {name: value for name, value in changed.items() if getattr(book, name) != value}


def _derive_author(given: dict[str, Any]) -> None:
    """Set `author` to what follows from the contributors. Raises `Invalid` if another one is given."""
    author = derived_author(given["contributors"])
    if given.setdefault("author", author) != author:
        raise Invalid("is derived from contributors, where it differs; give one of them", field="author")


_PARTS = {"contributors": tuple[Contributor, ...], "series": tuple[SeriesEntry, ...]}
_MERGED = {"ids": limits.IDS_MAX, "extra": limits.EXTRA_MAX}


def _plain(fields: msgspec.Struct, book: BookFields) -> dict[str, Any]:
    """Return the fields of a request in the plain types of events, null as the default of its field.

    The entries of `ids` and `extra` are merged with the book's; null removes one. Raises `Invalid`.
    """
    given = present(fields)
    given |= {name: DEFAULTS[name] for name, value in given.items() if value is None}
    if "tags" in given:
        given["tags"] = tuple(dict.fromkeys(given["tags"]))
    for name, kind in _PARTS.items():
        if name in given:
            given[name] = msgspec.convert(given[name], kind, from_attributes=True)
    for name in _MERGED.keys() & given.keys():
        merged = {**getattr(book, name), **given[name]} if given[name] else {}
        given[name] = {key: value for key, value in merged.items() if value is not None}
        if len(given[name]) > _MERGED[name]:
            raise Invalid(f"must have {_MERGED[name]} entries at the most", field=name)
    return given


def evolve(book: Shelved, event: Event) -> Shelved:  # noqa: PLR0911 (one for each event)
    """Return the book after an event."""
    replace = msgspec.structs.replace
    match event:
        case BookAdded():
            return Shelved(**msgspec.structs.asdict(event))
        case BookChanged():
            return replace(book, **present(event))
        case BookRemoved():
            return replace(book, removed=True)
        case BookRestored():
            return replace(book, removed=False)
        case CoverSet():
            return replace(book, cover=Cover(**msgspec.structs.asdict(event)))
        case CoverRemoved():
            return replace(book, cover=None)
    readings = evolve_readings(book.readings, event)
    return book if readings is book.readings else replace(book, readings=readings)


def to_answer(book_id: str, book: Shelved) -> Book:
    """Return the book as the body of an answer."""
    fields = msgspec.structs.asdict(book)
    for name in ("owner", "removed", "readings"):
        del fields[name]
    return to_book(book_id, fields | book.readings.summary.to_fields())


def change(body: BookChanges, context: RequestContext) -> ChangeBook:
    """Return the command for a request's body. Raises `Invalid`."""
    changes = present(body)
    check_date(changes.get("lent_on"), "lent_on", context.at)
    return ChangeBook(changes=body)


BOOK = Aggregate(
    name="newbook",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Shelved(),
    decide=decide,
    evolve=evolve,
    takes=(AddBook, ChangeBook, RemoveBook, RestoreBook, SetCover, RemoveCover),
    version=3,
    reserved_ids=RESERVED_IDS,
    owner=lambda book: book.owner,
)

ROUTES = (
    CommandRoute(
        method="POST",
        path="/books",
        summary="Put a book onto the shelf",
        aggregate=BOOK,
        body=NewBook,
        command=lambda body, context: AddBook(book=body, at=context.at, owner=context.owner),
        subject=lambda body, _context: body.id or None,
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
        command=change,
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
        params=Removal,
        command=lambda _body, context: RemoveBook(merged_into=context.params.merged_into),
    ),
    CommandRoute(
        method="POST",
        path="/books/{id}/restored",
        summary="Put a removed book back",
        aggregate=BOOK,
        body=Empty,
        body_required=False,
        command=lambda _body, _context: RestoreBook(),
        answer=to_answer,
        returns=Book,
        status=200,
    ),
    CommandRoute(
        method="PUT",
        path="/books/{id}/cover",
        summary="Set the image of a book's cover",
        aggregate=BOOK,
        body=field_types.CoverBody,
        command=lambda body, _context: SetCover(cover=body),
    ),
    CommandRoute(
        method="DELETE",
        path="/books/{id}/cover",
        summary="Remove the image of a book's cover",
        aggregate=BOOK,
        body=Empty,
        body_required=False,
        command=lambda _body, _context: RemoveCover(),
    ),
)
