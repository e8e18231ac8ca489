"""The types of the shelf's fields: JSON Schema has their patterns; a `hint` describes each in errors."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.cqrs.message import sealed
from bookshelf.shelf import limits

_LINE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$(?!\n)"
_PLAIN = r"^[^\x00-\x1f\x7f]*$(?!\n)"
_PROSE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_ISBN = r"^[0-9][0-9 -]{8,15}[0-9Xx]$(?!\n)"
_PARTIAL_DATE = r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$(?!\n)"
_CHOSEN_ID = r"^[0-9A-Za-z][0-9A-Za-z._-]*$(?!\n)"
_DAY = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|unknown)$(?!\n)"

_NO_BLANK = {"hint": "must not be blank, and has no control characters"}
_NO_CONTROL = {"hint": "has no control characters"}


def line(most: int, description: str, example: str) -> Meta:
    """Return the limits of a text of one line with up to `most` characters, which is not blank."""
    return Meta(max_length=most, pattern=_LINE, extra=_NO_BLANK, description=description, examples=[example])


def prose(most: int, description: str, example: str) -> Meta:
    """Return the limits of a text of several lines with up to `most` characters."""
    return Meta(
        max_length=most, pattern=_PROSE, extra=_NO_CONTROL, description=description, examples=[example]
    )


BookId = Annotated[
    str, Meta(description="the id of the book", examples=["0c9b6f0e-6a9b-5d0c-9f43-8f9a7a1f2b11"])
]
ChosenId = Annotated[
    str,
    Meta(
        max_length=limits.ID_MAX,
        pattern=_CHOSEN_ID,
        extra={"hint": "is up to 200 letters, digits, hyphens, dots and underscores"},
        description="the id of the new book, in place of one that is made",
        examples=["0c9b6f0e-6a9b-5d0c-9f43-8f9a7a1f2b11"],
    ),
]
MergedInto = Annotated[
    str,
    Meta(
        max_length=limits.ID_MAX,
        description="the book that takes over the readings of this one",
        examples=["0c9b6f0e-6a9b-5d0c-9f43-8f9a7a1f2b11"],
    ),
]
Title = Annotated[
    str,
    line(limits.TITLE_MAX, "the title", "Dune"),
]
Author = Annotated[
    str,
    line(limits.AUTHOR_MAX, "the author, or several as one text", "Frank Herbert"),
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
    line(limits.LANGUAGE_MAX, "the language, as a code or a name", "en"),
]
Tag = Annotated[
    str, Meta(max_length=limits.TAG_MAX, pattern=_LINE, extra=_NO_BLANK, examples=["science fiction"])
]
Tags = Annotated[
    tuple[Tag, ...],
    Meta(max_length=limits.TAGS_MAX, description="words to find it by", examples=[["science fiction"]]),
]
Notes = Annotated[str, sealed("notes"), prose(limits.NOTES_MAX, "notes of the reader", "Lent by Ann.")]
Rating = Annotated[
    int, Meta(ge=limits.RATING_MIN, le=limits.RATING_MAX, description="1 to 5 stars", examples=[5])
]
Review = Annotated[
    str,
    sealed("review"),
    prose(limits.REVIEW_MAX, "what the reader thinks of it", "The sleeper must awaken."),
]
Line = Annotated[str, Meta(max_length=limits.NAME_MAX, pattern=_LINE, extra=_NO_BLANK)]
Subtitle = Annotated[Line, Meta(description="the subtitle", examples=["A novel"])]
Publisher = Annotated[Line, Meta(description="the publisher", examples=["Chilton Books"])]
SortTitle = Annotated[Line, Meta(description="the title to sort by", examples=["Dune"])]
Location = Annotated[Line, Meta(description="where the book stands", examples=["study, shelf 3"])]
Borrower = Annotated[Line, Meta(description="the name of the borrower", examples=["Ann"])]
Format = Annotated[
    str,
    line(limits.FORMAT_MAX, "hardcover, paperback, ebook, audiobook or another text", "paperback"),
]
Minutes = Annotated[
    int, Meta(ge=1, le=limits.MINUTES_MAX, description="how many minutes it plays", examples=[1260])
]
Description = Annotated[
    str,
    sealed("description"),
    prose(limits.DESCRIPTION_MAX, "what the book is about", "A desert planet and its spice."),
]
Work = Annotated[
    str,
    line(limits.ID_MAX, "an id that the editions of one work share", "OL893415W"),
]
Copies = Annotated[
    int, Meta(ge=0, le=limits.COPIES_MAX, description="how many copies are owned; 0: none", examples=[1])
]
PartialDate = Annotated[
    str,
    Meta(
        pattern=_PARTIAL_DATE,
        extra={"hint": "is a year, a month or a day, like 2024, 2024-03 or 2024-03-01"},
        description="a year, a month or a day (EDTF level 0)",
        examples=["2024-03"],
    ),
]
Stars = Annotated[
    float,
    Meta(
        ge=limits.STARS_MIN,
        le=limits.STARS_MAX,
        multiple_of=0.25,
        description="0.25 to 5 stars, in quarters",
        examples=[4.5],
    ),
]


class CoverBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An image of a cover as a request gives it. Source of the form: `values.Cover`."""

    digest: Annotated[
        str,
        Meta(
            pattern=r"^[0-9a-f]{64}$(?!\n)",
            extra={"hint": "is 64 hexadecimal digits"},
            description="the BLAKE2b-256 of the image",
            examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
        ),
    ]
    width: Annotated[int, Meta(ge=1, le=10_000, description="pixels", examples=[600])]
    height: Annotated[int, Meta(ge=1, le=10_000, description="pixels", examples=[900])]
    colour: Annotated[
        str,
        Meta(
            pattern=r"^#[0-9a-f]{6}$(?!\n)",
            extra={"hint": "is a colour like #c08a3e"},
            description="the main colour",
            examples=["#c08a3e"],
        ),
    ]


class ContributorBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A contributor as a request gives it. Source of the form: `values.Contributor`."""

    name: Annotated[Line, Meta(description="the name", examples=["Frank Herbert"])]
    role: Annotated[
        str,
        line(
            limits.ROLE_MAX,
            "author, editor, translator, illustrator, narrator, foreword or another text",
            "author",
        ),
    ] = "author"
    sort: Annotated[Line, Meta(description="the name to sort by", examples=["Herbert, Frank"])] | None = None


class SeriesEntryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A place in a series as a request gives it. Source of the form: `values.SeriesEntry`."""

    name: Annotated[Line, Meta(description="the name of the series", examples=["Dune"])]
    number: (
        Annotated[
            str,
            line(limits.SERIES_NUMBER_MAX, "the number in the series, as text", "2.5"),
        ]
        | None
    ) = None


class ProgressBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A progress as a request gives it: exactly one of page, percent and minutes."""

    page: Annotated[int, Meta(ge=0, le=limits.PAGES_MAX, description="the page", examples=[120])] | None = (
        None
    )
    percent: (
        Annotated[float, Meta(ge=0, le=100, description="percent, with one decimal", examples=[42.5])] | None
    ) = None
    minutes: (
        Annotated[int, Meta(ge=0, le=limits.MINUTES_MAX, description="the minute", examples=[95])] | None
    ) = None
    of: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=limits.PAGES_MAX,
                description="the total; the book's pages or minutes if left out",
                examples=[412],
            ),
        ]
        | None
    ) = None


Contributors = Annotated[
    tuple[ContributorBody, ...],
    Meta(
        max_length=limits.CONTRIBUTORS_MAX,
        description="the authors and others; `author` is derived from them",
        examples=[[{"name": "Frank Herbert", "role": "author"}]],
    ),
]
Series = Annotated[
    tuple[SeriesEntryBody, ...],
    Meta(
        max_length=limits.SERIES_MAX,
        description="the series that it belongs to",
        examples=[[{"name": "Dune", "number": "1"}]],
    ),
]
_Scheme = Annotated[
    str,
    Meta(
        max_length=limits.SCHEME_MAX,
        pattern=r"^[a-z][a-z0-9_-]*$(?!\n)",
        extra={"hint": "is a lower-case name like goodreads"},
    ),
]
_Id = Annotated[str, Meta(max_length=limits.ID_MAX, pattern=_LINE, extra=_NO_BLANK)]
Ids = Annotated[
    dict[_Scheme, _Id | None],
    Meta(
        max_length=limits.IDS_MAX,
        description="ids of other programs, by scheme; null removes one",
        examples=[{"goodreads": "234225"}],
    ),
]
_ExtraName = Annotated[str, Meta(max_length=limits.EXTRA_NAME_MAX, pattern=_LINE, extra=_NO_BLANK)]
_ExtraValue = Annotated[str, Meta(max_length=limits.EXTRA_VALUE_MAX, pattern=_PROSE, extra=_NO_CONTROL)]
Extra = Annotated[
    dict[_ExtraName, _ExtraValue | None],
    Meta(
        max_length=limits.EXTRA_MAX,
        description="what an imported file has and the shelf has no field for; null removes one",
        examples=[{"StoryGraph: Moods": "adventurous"}],
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
