"""The fields of a book, declared once: events, states, requests and answers are made of `BookFields`.

A new field is added in two places: an attribute of `BookFields` (its plain type, for events and states) and
an entry of `FIELD_TYPES` (its limited type, as requests may give it).
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bookshelf.cqrs.message import sealed
from bookshelf.shelf import field_types
from bookshelf.shelf.values import Contributor, Cover, ReadingProgress, SeriesEntry


class BookFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of a book that a client can set. `author` follows from `contributors`, if there are any."""

    title: str = ""
    author: str = ""
    published: str | None = None
    isbn: str | None = None
    pages: int | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    notes: Annotated[str, sealed("notes")] | None = None
    subtitle: str | None = None
    contributors: tuple[Contributor, ...] = ()
    series: tuple[SeriesEntry, ...] = ()
    publisher: str | None = None
    first_published: str | None = None
    format: str | None = None
    minutes: int | None = None
    description: Annotated[str, sealed("description")] | None = None
    ids: dict[str, str] = {}
    sort_title: str | None = None
    work: str | None = None
    copies: int | None = None
    location: str | None = None
    lent_to: str | None = None
    lent_on: str | None = None
    extra: dict[str, str] = {}


#: The type that a request gives a field in.
FIELD_TYPES: Mapping[str, Any] = {
    "title": field_types.Title,
    "author": field_types.Author,
    "published": field_types.Published,
    "isbn": field_types.Isbn,
    "pages": field_types.Pages,
    "language": field_types.Language,
    "tags": field_types.Tags,
    "notes": field_types.Notes,
    "subtitle": field_types.Subtitle,
    "contributors": field_types.Contributors,
    "series": field_types.Series,
    "publisher": field_types.Publisher,
    "first_published": field_types.Published,
    "format": field_types.Format,
    "minutes": field_types.Minutes,
    "description": field_types.Description,
    "ids": field_types.Ids,
    "sort_title": field_types.SortTitle,
    "work": field_types.Work,
    "copies": field_types.Copies,
    "location": field_types.Location,
    "lent_to": field_types.Borrower,
    "lent_on": field_types.PartialDate,
    "extra": field_types.Extra,
}
#: The fields of the first release: answers always show them, and requests have them in this order (content
#: hashes of that release depend on it). Later fields are left out where they have no value.
FIRST_FIELDS = ("title", "author", "published", "isbn", "pages", "language", "tags", "notes")

#: The value of a field that is not given.
DEFAULTS: Mapping[str, Any] = {
    field.name: field.default if field.default is not msgspec.NODEFAULT else {}
    for field in msgspec.structs.fields(BookFields)
}
_PLAIN: Mapping[str, Any] = get_type_hints(BookFields, include_extras=True)


def _derive(name: str, fields: Mapping[str, tuple[Any, Any]], **config: Any) -> type[msgspec.Struct]:  # noqa: ANN401 (options)
    """Return a struct type with these fields, each with its type and default; subclasses inherit `config`."""
    listed = [(field, kind, default) for field, (kind, default) in fields.items()]
    return msgspec.defstruct(name, listed, frozen=True, kw_only=True, module=__name__, **config)


def _of_new_book(name: str) -> tuple[Any, Any]:
    if name == "title":
        return FIELD_TYPES[name], msgspec.NODEFAULT
    if name == "author":
        return FIELD_TYPES[name] | UnsetType, UNSET
    if name in FIRST_FIELDS:
        default = DEFAULTS[name]
        return (FIELD_TYPES[name] | None if default is None else FIELD_TYPES[name]), default
    return FIELD_TYPES[name] | UnsetType | None, UNSET


def _of_changes(name: str) -> tuple[Any, Any]:
    required = name in {"title", "author"}
    return (FIELD_TYPES[name] | UnsetType if required else FIELD_TYPES[name] | UnsetType | None), UNSET


_NewBookBase: Any = _derive(
    "_NewBookBase", {name: _of_new_book(name) for name in FIELD_TYPES}, forbid_unknown_fields=True
)
_ChangesBase: Any = _derive(
    "_ChangesBase",
    {name: _of_changes(name) for name in FIELD_TYPES},
    forbid_unknown_fields=True,
    omit_defaults=True,
)
#: The base of the event book-changed.
ChangedFields: Any = _derive(
    "ChangedFields", {name: (kind | UnsetType, UNSET) for name, kind in _PLAIN.items()}, omit_defaults=True
)


class NewBook(_NewBookBase):  # type: ignore[misc]  # derived
    """The fields of a new book; `author` or `contributors` is required. `id` and `added` are for imports."""

    id: field_types.ChosenId | UnsetType = UNSET
    added: field_types.Moment | UnsetType = UNSET


class BookChanges(_ChangesBase):  # type: ignore[misc]  # derived
    """The fields of a book to change (JSON merge patch, RFC 7396): null clears a field."""


def present(fields: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that are not UNSET, by name."""
    values = msgspec.structs.asdict(fields)
    return {name: value for name, value in values.items() if value is not UNSET}


BookState = Literal["unread", "reading", "paused", "finished", "abandoned"]
#: What answers show beside the fields: of the first release, and of later ones.
_FIRST_ANSWERS: Mapping[str, tuple[Any, Any]] = {
    "state": (
        Annotated[BookState, Meta(description="how far the reader is with it", examples=["finished"])],
        "unread",
    ),
    "finished": (
        Annotated[
            date | None,
            Meta(description="the day it was finished; null if not known", examples=["2024-03-01"]),
        ],
        None,
    ),
    "rating": (Annotated[int | None, Meta(description="the stars, rounded", examples=[5])], None),
    "review": (Annotated[str | None, Meta(examples=["The sleeper must awaken."])], None),
    "added": (Annotated[datetime, Meta(examples=["2026-01-31T12:00:00Z"])], msgspec.NODEFAULT),
}
_LATER_ANSWERS: Mapping[str, Any] = {
    "stars": Annotated[
        float, Meta(description="the stars, if `rating` does not state them exactly", examples=[4.5])
    ],
    "finished_on": Annotated[
        str, Meta(description="when it was finished, if `finished` cannot state it", examples=["2024-03"])
    ],
    "spoiler": Annotated[bool, Meta(description="true if the review reveals the plot", examples=[True])],
    "readings": Annotated[int, Meta(description="how many readings there are, beyond one", examples=[2])],
    "progress": Annotated[ReadingProgress, Meta(description="how far the open reading has come")],
    "cover": Annotated[
        Cover,
        Meta(
            description="the image of its cover",
            examples=[{"digest": "9f86d081884c7d65…", "width": 600, "height": 900, "colour": "#c08a3e"}],
        ),
    ],
}


def _shown(name: str) -> tuple[Any, Any]:
    kind = _PLAIN[name]
    example = next((meta for meta in FIELD_TYPES[name].__metadata__ if meta.examples), Meta())
    described: Any = Annotated[kind, Meta(examples=example.examples)]
    if name not in FIRST_FIELDS:
        return described | UnsetType, UNSET
    return described, msgspec.NODEFAULT if name in {"title", "author"} else DEFAULTS[name]


_BookBase: Any = _derive(
    "_BookBase",
    {"id": (field_types.BookId, msgspec.NODEFAULT)}
    | {name: _shown(name) for name in FIRST_FIELDS}
    | dict(_FIRST_ANSWERS)
    | {name: _shown(name) for name in FIELD_TYPES if name not in FIRST_FIELDS}
    | {name: (kind | UnsetType, UNSET) for name, kind in _LATER_ANSWERS.items()},
)


class Book(_BookBase):  # type: ignore[misc]  # derived
    """A whole book. `finished` may be null for a finished book: then the day is not known.

    Fields that came later than the first release are left out if they have no value.
    """


def to_book(book_id: str, values: Mapping[str, Any]) -> Book:
    """Return the book as answers show it; later fields without a value are left out."""
    return Book(
        id=book_id,
        **{
            name: value
            for name, value in values.items()
            if name not in _LATER or (value is not False and value not in _EMPTY)
        },
    )


_LATER = frozenset(FIELD_TYPES) - set(FIRST_FIELDS) | set(_LATER_ANSWERS)
_EMPTY: tuple[Any, ...] = (None, (), {})
