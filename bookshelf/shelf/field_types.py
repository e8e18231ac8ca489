"""The types of the shelf's fields: JSON Schema has their patterns; a `hint` describes each in errors."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from bookshelf.shelf import limits

_LINE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$(?!\n)"
_PLAIN = r"^[^\x00-\x1f\x7f]*$(?!\n)"
_PROSE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_ISBN = r"^[0-9][0-9 -]{8,15}[0-9Xx]$(?!\n)"
_DAY = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|unknown)$(?!\n)"

_NO_BLANK = {"hint": "must not be blank, and has no control characters"}
_NO_CONTROL = {"hint": "has no control characters"}

BookId = Annotated[
    str, Meta(description="the id of the book", examples=["0c9b6f0e-6a9b-5d0c-9f43-8f9a7a1f2b11"])
]
Title = Annotated[
    str,
    Meta(
        max_length=limits.TITLE_MAX,
        pattern=_LINE,
        extra=_NO_BLANK,
        description="the title",
        examples=["Dune"],
    ),
]
Author = Annotated[
    str,
    Meta(
        max_length=limits.AUTHOR_MAX,
        pattern=_LINE,
        extra=_NO_BLANK,
        description="the author, or several as one text",
        examples=["Frank Herbert"],
    ),
]
Published = Annotated[
    str,
    Meta(
        max_length=limits.PUBLISHED_MAX,
        pattern=_PLAIN,
        extra=_NO_CONTROL,
        description="when it was published: a year, a date or any text",
        examples=["1965"],
    ),
]
Isbn = Annotated[
    str,
    Meta(
        pattern=_ISBN,
        extra={"hint": "is 10 or 13 digits, maybe with hyphens"},
        description="10 or 13 digits, maybe with hyphens",
        examples=["0441013597"],
    ),
]
Pages = Annotated[
    int, Meta(ge=limits.PAGES_MIN, le=limits.PAGES_MAX, description="how many pages it has", examples=[412])
]
Language = Annotated[
    str,
    Meta(
        max_length=limits.LANGUAGE_MAX,
        pattern=_LINE,
        extra=_NO_BLANK,
        description="the language, as a code or a name",
        examples=["en"],
    ),
]
Tag = Annotated[
    str, Meta(max_length=limits.TAG_MAX, pattern=_LINE, extra=_NO_BLANK, examples=["science fiction"])
]
Tags = Annotated[
    tuple[Tag, ...],
    Meta(max_length=limits.TAGS_MAX, description="words to find it by", examples=[["science fiction"]]),
]
Notes = Annotated[
    str,
    Meta(
        max_length=limits.NOTES_MAX,
        pattern=_PROSE,
        extra=_NO_CONTROL,
        description="notes of the reader",
        examples=["Lent by Ann."],
    ),
]
Rating = Annotated[
    int, Meta(ge=limits.RATING_MIN, le=limits.RATING_MAX, description="1 to 5 stars", examples=[5])
]
Review = Annotated[
    str,
    Meta(
        max_length=limits.REVIEW_MAX,
        pattern=_PROSE,
        extra=_NO_CONTROL,
        description="what the reader thinks of it",
        examples=["The sleeper must awaken."],
    ),
]
Instant = Annotated[datetime, Meta(tz=True)]
Moment = Annotated[
    datetime,
    Meta(tz=True, description="a time with its offset", examples=["2026-01-31T12:00:00Z"]),
]
Day = Annotated[
    str,
    Meta(
        pattern=_DAY,
        extra={"hint": "is a date like 2024-03-01, or unknown"},
        description="the day it was finished, or unknown; today if left out",
        examples=["2024-03-01"],
    ),
]
#: A field that is accepted and not read: it is no part of the API's documents.
Unread = Annotated[Any, Meta(extra_json_schema={"x-hidden": True})]
