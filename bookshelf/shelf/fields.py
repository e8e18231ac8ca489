"""The book as the answers of the API show it."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bookshelf.shelf import field_types

_STATE = Meta(description="whether the reader has finished it", examples=["finished"])
_FINISHED = Meta(description="the day it was finished; null if not known", examples=["2024-03-01"])


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """A whole book. `finished` may be null for a finished book: then the day is not known."""

    id: field_types.BookId
    title: Annotated[str, Meta(examples=["Dune"])]
    author: Annotated[str, Meta(examples=["Frank Herbert"])]
    published: Annotated[str | None, Meta(examples=["1965"])] = None
    isbn: Annotated[str | None, Meta(examples=["0441013597"])] = None
    pages: Annotated[int | None, Meta(examples=[412])] = None
    language: Annotated[str | None, Meta(examples=["en"])] = None
    tags: Annotated[tuple[str, ...], Meta(examples=[["science fiction"]])] = ()
    notes: Annotated[str | None, Meta(examples=["Lent by Ann."])] = None
    state: Annotated[Literal["unread", "finished"], _STATE] = "unread"
    finished: Annotated[date | None, _FINISHED] = None
    rating: Annotated[int | None, Meta(examples=[5])] = None
    review: Annotated[str | None, Meta(examples=["The sleeper must awaken."])] = None
    added: Annotated[datetime, Meta(examples=["2026-01-31T12:00:00Z"])]
