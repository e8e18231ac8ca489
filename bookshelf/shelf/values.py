"""The composite values of the shelf: partial dates, progress, contributors, series entries, covers.

Events, states and answers hold these plain types; field_types.py has the limited types of request bodies.
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import floor

import msgspec

from bookshelf.cqrs.errors import Invalid


class Contributor(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person with a part in a book. `sort` is the name to sort by ("Herbert, Frank"), if it is known."""

    name: str
    role: str = "author"
    sort: str | None = None


class SeriesEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """The place of a book in a series. `number` is text ("2.5") and sorts naturally."""

    name: str
    number: str | None = None


class ReadingProgress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a reading has come: one of page, percent and minutes. `of` is the total of that unit."""

    page: int | None = None
    percent: float | None = None
    minutes: int | None = None
    of: int | None = None


class Totals(msgspec.Struct, frozen=True, omit_defaults=True):
    """The totals of a book that progress is measured by, where it does not have its own."""

    pages: int | None = None
    minutes: int | None = None


class Cover(msgspec.Struct, frozen=True):
    """An image of a book's cover: digest of its content, size in pixels, main colour as `#rrggbb`."""

    digest: str
    width: int
    height: int
    colour: str


def derived_author(contributors: tuple[Contributor, ...]) -> str:
    """Return the text of the field `author` that follows from the contributors."""
    return ", ".join(author_names(contributors))


def author_names(contributors: Sequence[Contributor]) -> list[str]:
    """Return the names of the authors, else all names."""
    authors = [person.name for person in contributors if person.role == "author"]
    return authors or [person.name for person in contributors]


def is_before(first: str, second: str) -> bool:
    """Return True if one partial date lies before another at the coarser precision of the two."""
    shared = min(len(first), len(second))
    return first[:shared] < second[:shared]


def check_date(text: str | None, field: str, at: datetime | None = None) -> None:
    """Return if a partial date is in the calendar and at most a day after `at`. Raises `Invalid`."""
    if text is None:
        return
    year, month, day = (int(text[part]) if text[part] else 1 for part in _DATE_PARTS)
    if not (year >= 1 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):  # noqa: PLR2004 (months)
        raise Invalid("is no day of the calendar", field=field)
    if at is not None and is_before((at + timedelta(days=1)).date().isoformat(), text):
        raise Invalid("lies in the future", field=field)


_DATE_PARTS = (slice(0, 4), slice(5, 7), slice(8, 10))


def whole_stars(stars: float) -> int:
    """Return the field `rating` for stars: rounded half up to a whole number, at least 1."""
    return max(1, floor(stars + 0.5))


def check_progress(given: msgspec.Struct, totals: Totals) -> ReadingProgress:
    """Return a request's progress with its total, that of the book if it has none. Raises `Invalid`."""
    progress = msgspec.convert(given, ReadingProgress, from_attributes=True)
    values = {
        unit: value
        for unit in ("page", "percent", "minutes")
        if (value := getattr(progress, unit)) is not None
    }
    if len(values) != 1:
        raise Invalid("needs exactly one of page, percent and minutes", field="progress")
    [(unit, value)] = values.items()
    if unit == "percent":
        if round(value, 1) != value:
            raise Invalid("has one decimal at the most", field="progress.percent")
        return progress
    of = progress.of or (totals.pages if unit == "page" else totals.minutes)
    if of is not None and value > of:
        msg = f"lies beyond the total, which is {of}; give the total of this edition as `of`"
        raise Invalid(msg, field=f"progress.{unit}")
    return msgspec.structs.replace(progress, of=of)
