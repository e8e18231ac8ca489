"""A book, as every answer of the shelf shows it."""

from datetime import date, datetime
from typing import Literal

import msgspec


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """A whole book. `finished` may be null for a finished book: then the day is not known."""

    id: str
    title: str
    author: str
    published: str | None = None
    isbn: str | None = None
    pages: int | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    notes: str | None = None
    state: Literal["unread", "finished"] = "unread"
    finished: date | None = None
    rating: int | None = None
    review: str | None = None
    added: datetime
