"""The events of a book, and the catalogue of the shelf's topic."""

from datetime import date, datetime
from typing import ClassVar

from msgspec import UNSET, UnsetType

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event

TOPIC = "bookshelf"


class BookAdded(Event, frozen=True):
    """A book was put onto the shelf. `published` is a text as it was given: a year, a date or another."""

    TYPE: ClassVar[str] = "shelf.book-added.v1"
    title: str
    author: str
    added: datetime
    published: str | None = None
    isbn: str | None = None
    pages: int | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    notes: str | None = None


class BookChanged(Event, frozen=True):
    """Fields of a book were changed: only those are present, and null clears one."""

    TYPE: ClassVar[str] = "shelf.book-changed.v1"
    title: str | UnsetType = UNSET
    author: str | UnsetType = UNSET
    published: str | UnsetType | None = UNSET
    isbn: str | UnsetType | None = UNSET
    pages: int | UnsetType | None = UNSET
    language: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    notes: str | UnsetType | None = UNSET


class BookRemoved(Event, frozen=True):
    """The book was taken off the shelf."""

    TYPE: ClassVar[str] = "shelf.book-removed.v1"


class BookFinished(Event, frozen=True):
    """The reader has finished the book, on a day that may be unknown. Rating is 1 to 5."""

    TYPE: ClassVar[str] = "shelf.book-finished.v1"
    finished: date | None = None
    rating: int | None = None
    review: str | None = None


EVENTS = Catalogue(BookAdded, BookChanged, BookRemoved, BookFinished)
