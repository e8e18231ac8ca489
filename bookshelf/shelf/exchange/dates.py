"""Dates as people and programs write them."""

import re
from datetime import date
from typing import NamedTuple

_ISO = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_MONTH_DAY = re.compile(r"([^\W\d]{3,10})\.? +(\d{1,2})(?:st|nd|rd|th)?,? +(\d{4})")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?[ -]+([^\W\d]{3,10})\.?,?[ -]+(\d{4})")

_NAMES = "jan feb mar/mär/mrt apr may/mai/mei jun jul aug sep oct/okt nov dec/dez"
_MONTHS = {name: number for number, names in enumerate(_NAMES.split(), start=1) for name in names.split("/")}
_LAST_MONTH = 12
_CENTURY = 2000


class Numeric(NamedTuple):
    """A date of three numbers, of which only the year is sure."""

    first: int
    second: int
    year: int
    dotted: bool

    @property
    def says_day_first(self) -> bool | None:
        """Whether it is written day first; None where it may be either."""
        if self.first > _LAST_MONTH or self.dotted:
            return True
        return False if self.second > _LAST_MONTH else None

    @property
    def ambiguous(self) -> bool:
        """Whether it is two different days, read day first and month first."""
        return self.says_day_first is None and self.first != self.second


def numeric(value: str) -> Numeric | None:
    """Answer the last date such as 31/12/2024, 12-31-2024 or 31.12.24 in the value."""
    if _ISO.search(value) or not (found := _NUMERIC.findall(value)):
        return None
    first, mark, second, year = found[-1]
    full = int(year) if len(year) > 2 else _CENTURY + int(year)  # noqa: PLR2004 - 24 for 2024
    return Numeric(int(first), int(second), full, mark == ".")


def parse(value: str, *, day_first: bool) -> date | None:
    """Answer the last date in the value, or None where there is none that exists.

    The last, because a range or a list of readings ends with the latest one. A
    time of day after it is left out. 31.12.2024 is always day first; with / and
    - the numbers decide, and where they cannot, day_first.
    """
    if found := _ISO.findall(value):
        year, month, day = found[-1]
        return _date(int(year), int(month), int(day))
    if (three := numeric(value)) is not None:
        said = three.says_day_first
        first_is_day = day_first if said is None else said
        day, month = (three.first, three.second) if first_is_day else (three.second, three.first)
        return _date(three.year, month, day)
    return _in_words(value)


def _in_words(value: str) -> date | None:
    if found := _MONTH_DAY.search(value):
        month, day, year = found.groups()
    elif found := _DAY_MONTH.search(value):
        day, month, year = found.groups()
    else:
        return None
    return _date(int(year), _MONTHS.get(month[:3].casefold(), 0), int(day))


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
