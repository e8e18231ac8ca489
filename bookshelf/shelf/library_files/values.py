"""Reads the values of a cell: dates, ratings, ISBNs, tags and text."""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from bookshelf.shelf.limits import RATING_MAX, RATING_MIN

_ISO = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_MONTH_DAY = re.compile(r"([^\W\d]{3,10})\.? +(\d{1,2})(?:st|nd|rd|th)?,? +(\d{4})")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?[ -]+([^\W\d]{3,10})\.?,?[ -]+(\d{4})")

_MONTH_NAMES = "jan feb mar/mär/mrt apr may/mai/mei jun jul aug sep oct/okt nov dec/dez"
_MONTHS = {
    name: number for number, names in enumerate(_MONTH_NAMES.split(), start=1) for name in names.split("/")
}
_LAST_MONTH = 12
_CENTURY = 2000


class NumericDate(NamedTuple):
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


def numeric(value: str) -> NumericDate | None:
    """Answer the last date such as 31/12/2024, 12-31-2024 or 31.12.24 in the value."""
    if _ISO.search(value) or not (found := _NUMERIC.findall(value)):
        return None
    first, mark, second, year = found[-1]
    full = int(year) if len(year) > 2 else _CENTURY + int(year)  # noqa: PLR2004 - 24 for 2024
    return NumericDate(int(first), int(second), full, mark == ".")


def parse_date(value: str, *, day_first: bool) -> date | None:
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


_NUMBER = re.compile(r"(\d+(?:[.,]\d+)?)(?:\s*/\s*(\d+))?(?:\s*(?:stars?|\*))?", re.IGNORECASE)
_FILLED, _STARS = "★*", frozenset("★*☆ ")
_STEP = 4
"""StoryGraph's readers give quarters of a star; an average hardly ever is one."""


def parse_number(value: str, scale: int) -> float | None:
    """Answer the rating in stars out of 5, unrounded, or None where it is no rating.

    `scale` is what the file rates out of: 5 or 10. "8/10" and "★★★★" say it themselves.
    """
    text = value.strip()
    if text and _STARS.issuperset(text):
        return float(sum(text.count(star) for star in _FILLED))
    if not (found := _NUMBER.fullmatch(text)):
        return None
    given, out_of = found.groups()
    return float(given.replace(",", ".")) * RATING_MAX / (int(out_of or scale) or 1)


def is_quarter(value: float) -> bool:
    """Tell whether a reader may have given this, and not a crowd's average."""
    return (value * _STEP).is_integer()


def parse_stars(value: str, scale: int, notes: list[str]) -> int | None:
    """Answer whole stars, halves rounded up, or None for no rating: blank and 0 are none."""
    exact = parse_number(value, scale)
    if exact is None or exact > RATING_MAX:
        notes.append(f"rating {value.strip()[:20]!r} left out: not a number of stars from 1 to 5")
        return None
    if not exact:
        return None
    whole = max(int(exact + 0.5), RATING_MIN)
    if whole != exact:
        notes.append(f"rating {value.strip()!r} rounded to {whole}")
    return whole


_SPLIT = re.compile(r"[,;|/]")
_JUNK = re.compile(r"""\.0+$|[\s\-\u2010-\u2015="'.]|^ISBN(?:-?1[03])?:?""", re.IGNORECASE)
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+|97[89]\d{4}0{6}(?:\.0+)?", re.IGNORECASE)
_TEN = re.compile(r"\d{9}[\dX]")
_THIRTEEN = re.compile(r"97[89]\d{10}")
_SHORT = re.compile(r"\d{6,8}[\dX]")
_SHOWN = 20

_GOOD13, _GOOD10, _PADDED, _WRONG = range(4)


def choose_isbn(values: Iterable[str], notes: list[str]) -> str:
    """Answer the best ISBN of those given, 10 or 13 characters, or the empty string.

    Best is an ISBN-13 with a right check digit, then such an ISBN-10, then one
    that has lost its leading zeros, then one of full length with a wrong check
    digit (books are printed with those), which is noted. What is no ISBN, or
    what a spreadsheet has rounded, is noted only where there is no other.
    """
    given = [part for value in values for part in _parts(value)]
    ranked = [found for value in given if (found := _ranked(value))]
    if not ranked:
        notes.extend(_isbn_fault(value) for value in given)
        return ""
    rank, isbn = min(ranked, key=lambda pair: pair[0])
    if rank == _WRONG:
        notes.append(f"isbn {isbn!r} kept, though its check digit is wrong")
    return isbn


def holds(isbn10: str) -> bool:
    """Tell whether the check digit of ten characters is right (ISO 2108, modulus 11)."""
    digits = (10 if digit == "X" else int(digit) for digit in isbn10)
    return sum((10 - place) * digit for place, digit in enumerate(digits)) % 11 == 0


def _holds13(isbn: str) -> bool:
    return sum((3 if place % 2 else 1) * int(digit) for place, digit in enumerate(isbn)) % 10 == 0


def _parts(value: str) -> Iterator[str]:
    value = value.strip()
    if _ROUNDED.fullmatch(value):
        yield value
    else:
        yield from filter(_bare, _SPLIT.split(value))


def _bare(value: str) -> str:
    return _JUNK.sub("", value.strip().upper())


def _ranked(value: str) -> tuple[int, str] | None:
    isbn = _bare(value)
    if _ROUNDED.fullmatch(value):
        return None
    if _THIRTEEN.fullmatch(isbn):
        return (_GOOD13 if _holds13(isbn) else _WRONG), isbn
    if _TEN.fullmatch(isbn):
        return (_GOOD10 if holds(isbn) else _WRONG), isbn
    if _SHORT.fullmatch(isbn) and holds(isbn.zfill(10)):
        return _PADDED, isbn.zfill(10)
    return None


def _isbn_fault(value: str) -> str:
    why = "a spreadsheet has rounded it" if _ROUNDED.fullmatch(value) else "not an ISBN"
    return f"isbn {value.strip()[:_SHOWN]!r} left out: {why}"
