"""Reads the dates of a cell: days, months and years in many spellings, alone, in lists and as ranges."""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from bookshelf.shelf.library_files.text import fold_letters


class Span(NamedTuple):
    """A range of partial dates; a single date is its end, and an open range has none."""

    started: str | None
    ended: str | None


class Dates(NamedTuple):
    """The dates of one cell.

    `assumed` is true if the order of a day and a month was assumed, `loose` if the cell has more text and
    only a year or a month, as in "summer 2016".
    """

    spans: tuple[Span, ...]
    assumed: bool = False
    loose: bool = False


@cache
def _month_names() -> dict[str, int]:
    """Return the names of the months in all languages of the Unicode CLDR, folded.

    Each line of the file is a month. Where languages disagree, the one with more readers has the name.
    """
    lines = files(__package__).joinpath("month_names.txt").read_text(encoding="utf-8").splitlines()
    return {
        spelling: number
        for number, line in enumerate(lines, start=1)
        for name in line.split(" | ")
        for spelling in (fold_letters(name), name)
    } | {"sept": 9, "mrt": 3, "mrz": 3}


_PREPOSITIONS = frozenset({"de", "del", "of", "den", "the", "da", "di", "г"})


def month_of(words: str) -> int | None:
    """Return the month that some words name, with a weekday or a preposition beside it; None if none does."""
    cleaned = words.casefold().replace("’", "'")
    names = [word.removeprefix("d'") for word in cleaned.split() if word not in _PREPOSITIONS]
    runs = sorted(
        ((first, last) for first in range(len(names)) for last in range(first + 1, len(names) + 1)),
        key=lambda run: (run[0] - run[1], -run[0]),
    )
    for first, last in runs:
        name = " ".join(names[first:last])
        for spelling in (name, fold_letters(name), name.removeprefix("ב")):
            if (number := _month_names().get(spelling)) is not None:
                return number
    return None


_W = r"[^\s\d,;:()\[\]|/&+\u2013\u2014.\-]+"
_WORDS = rf"{_W}(?:\x20{_W}){{0,3}}"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
_ZONE = r"(?:Z|[A-Z]{2,5}|[+-]\d{2}:?\d{2})"
_TIME = rf"(?:(?:T|,?\s+){_CLOCK}(?:\s*[AaPp]\.?[Mm]\b\.?)?(?:\s*{_ZONE}(?!\w))?)?"
_ORDINAL = r"(?:st|nd|rd|th|er|re|º|ª|°|-?го|-?е)?"
_DATE = re.compile(
    rf"""
    (?<!\d)(?P<y1>\d{{4}})(?P<s1>[-/.])(?P<m1>\d{{1,2}})(?P=s1)(?P<d1>\d{{1,2}})(?!\d){_TIME}
  | (?<!\d)(?P<y2>\d{{4}})\s*[年년]\s*(?:(?P<m2>\d{{1,2}})\s*[月월]\s*(?:(?P<d2>\d{{1,2}})\s*[日일号])?)?
  | (?P<d3>\d{{1,2}})\s+tháng\s+(?P<m3>\d{{1,2}}),?\s+(?:năm\s+)?(?P<y3>\d{{4}})(?!\d)
  | (?<!\d)(?P<a4>\d{{1,2}})(?P<s4>[-/]|\.\s?)(?P<b4>\d{{1,2}})(?P=s4)(?P<y4>\d{{4}}|\d{{2}})(?!\d){_TIME}
  | (?<!\d)(?P<d5>\d{{1,2}}){_ORDINAL}\.?[\s\-]*(?P<w5>{_WORDS})\.?[\s\-,]*
    (?P<y5>\d{{4}}|\d{{2}})(?!\d){_TIME}
  | (?P<w6>{_WORDS})\.?[\s\-]+(?P<d6>\d{{1,2}}){_ORDINAL}(?:\s+{_CLOCK}(?:\s+{_ZONE})?)?,?\s+
    (?P<y6>\d{{4}})(?!\d){_TIME}
  | (?<!\d)(?P<y7>\d{{4}})[\s\-]+(?P<w7>{_WORDS})\.?[\s\-]+(?P<d7>\d{{1,2}})(?!\d)
  | (?P<w8>{_WORDS})\.?(?:[\s\-,/]*(?P<y8>\d{{4}})|\s?[\-'\u2019](?P<z8>\d{{2}}))(?!\d)
  | (?<!\d)(?P<y9>(?:1[6-9]|20)\d{{2}})(?P<m9>0[1-9]|1[0-2])(?P<d9>[0-3]\d)(?!\d)
  | (?<!\d)(?P<y10>\d{{4}})[-/.](?P<m10>\d{{1,2}})(?!\d)(?!-\d)(?![/.]\d{{1,2}}(?!\d))
  | (?<!\d)(?P<m11>\d{{1,2}})[-/.](?P<y11>\d{{4}})(?!\d)
  | (?<!\d)(?P<y12>\d{{4}})(?!\d)
    """,
    re.VERBOSE,
)
_WORD_FORMS = {"w5", "w6", "w7", "w8"}
_RANGE = re.compile(
    r"\s*(?:-+|[\u2013\u2014~\u301c\uff5e]|\.{2,}|/|→|->|to|until|till|bis|à|au|al?|do|až|t/m)\s*"
)
_OPEN_END = re.compile(r"\s*(?:-+|[\u2013\u2014]|\.{2,})\s*(?:[,;|\n]|$)")
_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})([-/])(\d{1,2})\2(?:\d{4}|\d{2})(?!\d)")
_DAY_NUMBER = re.compile(r"([2-5]\d{4}|60000)(?:[.,]\d+)?")
_EPOCH = re.compile(r"(\d{10})(?:\d{3})?(?:\.\d+)?")
_DAY_ZERO = datetime(1899, 12, 30, tzinfo=UTC)
_MONTHS = 12
_PIVOT = 68
"""A year of two digits up to this is in this century (POSIX)."""


def order_proofs(cell: str) -> Iterator[bool]:
    """Yield for each date of three numbers that proves it: True if the day comes first, else False."""
    for first, _, second in _NUMERIC.findall(cell):
        if (int(first) > _MONTHS) != (int(second) > _MONTHS):
            yield int(first) > _MONTHS


def is_ambiguous(cell: str) -> bool:
    """Return True if the cell has a date that is another one if the day comes first."""
    pairs = ((int(first), int(second)) for first, _, second in _NUMERIC.findall(cell))
    return any(max(pair) <= _MONTHS and pair[0] != pair[1] for pair in pairs)


@lru_cache(maxsize=4096)
def read_dates(cell: str, *, day_first: bool) -> Dates | None:
    """Return the dates of a cell; None if it has none, or one that no calendar has.

    A time of day after a date is left out: the day is the reader's own, in the zone that the file has.
    """
    text = _plain_digits(cell.strip())
    if number := _whole_number(text):
        return Dates((Span(None, number),))
    tokens: list[tuple[int, int, str]] = []
    at, assumed = 0, False
    while found := _DATE.search(text, at):
        kind = _kind(found)
        value, guessed = _value(found, day_first=day_first)
        if value:
            tokens.append((found.start(), found.end(), value))
            at, assumed = found.end(), assumed or guessed
        elif kind in _WORD_FORMS and found.end(kind) > at:
            at = found.end(kind)
        else:
            return None
    return _joined(text, tokens, assumed=assumed) if tokens else None


def _joined(text: str, tokens: list[tuple[int, int, str]], *, assumed: bool) -> Dates | None:
    spans: list[Span] = []
    rest, at, start = [text[: tokens[0][0]]], 0, None
    for index, (_, end, value) in enumerate(tokens):
        following = tokens[index + 1][0] if index + 1 < len(tokens) else len(text)
        gap = text[end:following]
        if start is None and index + 1 < len(tokens) and _RANGE.fullmatch(gap.casefold()):
            start = value
            continue
        open_end = start is None and _OPEN_END.match(gap)
        spans.append(Span(value, None) if open_end else Span(start, value))
        start, at = None, end
        rest.append(gap)
    words = re.sub(r"[\W_]+", "", "".join(rest))
    if any(map(str.isdigit, words)):
        return None
    coarse = any(len(span.ended or span.started or "") < len("2024-03-01") for span in spans)
    return Dates(tuple(spans), assumed, bool(words) and coarse and at > 0)


def _kind(found: re.Match[str]) -> str:
    groups = found.groupdict()
    return next((name for name in groups if name[0] == "w" and groups[name]), "") or next(
        name for name in groups if groups[name] and name[0] in "yam"
    )


def _value(found: re.Match[str], *, day_first: bool) -> tuple[str | None, bool]:
    """Return a partial date, and whether the order of its day and month was assumed."""
    part = {name[0]: text for name, text in found.groupdict().items() if text}
    year = _full_year(part.get("y") or part["z"])
    if "w" in part:
        month = month_of(part["w"])
        return (_partial(year, month, part.get("d")) if month else None), False
    if "a" not in part:
        return _partial(year, part.get("m"), part.get("d")), False
    first, second = int(part["a"]), int(part["b"])
    proved = first > _MONTHS or second > _MONTHS or part["s"].startswith(".") or first == second
    leading = second <= _MONTHS and (day_first or first > _MONTHS or part["s"].startswith("."))
    day, month = (first, second) if leading else (second, first)
    return _partial(year, month, day), not proved


def _full_year(text: str) -> int:
    year = int(text)
    if len(text) > 2:  # noqa: PLR2004 - 24 for 2024
        return year
    return year + (2000 if year <= _PIVOT else 1900)


def _partial(year: int, month: int | str | None = None, day: int | str | None = None) -> str | None:
    """Return the partial date, or None if no calendar has it."""
    if not year:
        return None
    if month is None:
        return f"{year:04}"
    if not 1 <= int(month) <= _MONTHS:
        return None
    if day is None:
        return f"{year:04}-{int(month):02}"
    if not 1 <= int(day) <= monthrange(year, int(month))[1]:
        return None
    return f"{year:04}-{int(month):02}-{int(day):02}"


def _whole_number(text: str) -> str | None:
    """Return the day of a spreadsheet's day number (from 1899-12-30) or of seconds since 1970."""
    if found := _DAY_NUMBER.fullmatch(text):
        return (_DAY_ZERO + timedelta(days=int(found[1]))).date().isoformat()
    if found := _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(found[1]), UTC).date().isoformat()
    return None


def _plain_digits(text: str) -> str:
    if text.isascii():
        return text
    return "".join(str(int(letter)) if letter.isdecimal() else letter for letter in text)
