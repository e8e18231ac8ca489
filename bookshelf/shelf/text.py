"""What a text of the shelf may be. JSON Schema shows the pattern, `mend` says what to do about a mismatch."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from bookshelf.shelf import limits

_LINE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$(?!\n)"
_PLAIN = r"^[^\x00-\x1f\x7f]*$(?!\n)"
_PROSE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_ISBN = r"^[0-9][0-9 -]{8,15}[0-9Xx]$(?!\n)"
_DAY = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|unknown)$(?!\n)"

_NO_BLANK = {"mend": "must not be blank, and has no control characters"}
_NO_CONTROL = {"mend": "has no control characters"}

Title = Annotated[str, Meta(max_length=limits.TITLE_MAX, pattern=_LINE, extra=_NO_BLANK, examples=["Dune"])]
Author = Annotated[
    str, Meta(max_length=limits.AUTHOR_MAX, pattern=_LINE, extra=_NO_BLANK, examples=["Frank Herbert"])
]
Published = Annotated[
    str, Meta(max_length=limits.PUBLISHED_MAX, pattern=_PLAIN, extra=_NO_CONTROL, examples=["1965"])
]
Isbn = Annotated[
    str,
    Meta(pattern=_ISBN, extra={"mend": "is 10 or 13 digits, maybe with hyphens"}, examples=["0441013597"]),
]
Pages = Annotated[int, Meta(ge=limits.PAGES_MIN, le=limits.PAGES_MAX, examples=[412])]
Language = Annotated[
    str, Meta(max_length=limits.LANGUAGE_MAX, pattern=_LINE, extra=_NO_BLANK, examples=["en"])
]
Tag = Annotated[
    str, Meta(max_length=limits.TAG_MAX, pattern=_LINE, extra=_NO_BLANK, examples=["science fiction"])
]
Tags = Annotated[tuple[Tag, ...], Meta(max_length=limits.TAGS_MAX)]
Notes = Annotated[str, Meta(max_length=limits.NOTES_MAX, pattern=_PROSE, extra=_NO_CONTROL)]
Rating = Annotated[int, Meta(ge=limits.RATING_MIN, le=limits.RATING_MAX, examples=[5])]
Review = Annotated[str, Meta(max_length=limits.REVIEW_MAX, pattern=_PROSE, extra=_NO_CONTROL)]
Instant = Annotated[datetime, Meta(tz=True)]
Day = Annotated[
    str,
    Meta(
        pattern=_DAY,
        extra={"mend": "is a date like 2024-03-01, or unknown"},
        description="the day it was finished, or unknown; today if left out",
        examples=["2024-03-01"],
    ),
]
