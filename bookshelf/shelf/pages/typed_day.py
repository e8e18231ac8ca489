"""Reads a day, a month or a year as readers type it."""

import re
from datetime import date
from typing import Annotated

from msgspec import Meta

from bookshelf.shelf.field_types import PartialDate

_YEAR_FIRST = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})(?:[-/.]([0-9]{1,2}))?")
_DAY_FIRST = re.compile(r"(?:([0-9]{1,2})\.\s*)?([0-9]{1,2})\.\s*([0-9]{4})")


def read_day(text: str) -> str:
    """Return a partial date for a text like "14.3.2024", "3.2024" or "2024-3-14"; other texts as they are."""
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day = found.groups()
    elif found := _DAY_FIRST.fullmatch(text):
        day, month, year = found.groups()
    else:
        return text
    try:
        whole = date(int(year), int(month), int(day or 1)).isoformat()
    except ValueError:
        return text
    return whole if day else whole[:7]


#: A partial date in a form.
TypedDay = Annotated[PartialDate, Meta(extra={"typed": read_day}, examples=["2024-03-14, 2024-03 or 2024"])]
