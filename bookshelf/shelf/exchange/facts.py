"""What only a file as a whole tells: whether day or month comes first, what ratings are out of."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bookshelf.shelf.exchange import dates, ratings
from bookshelf.shelf.exchange.format import Fields, Format
from bookshelf.shelf.limits import RATING_MAX

_TEN = 10


class Facts(NamedTuple):
    """The facts of one file.

    `rows`: its records, those without a book among them. `day_first`: how 01/03/2024
    is read; `sure`: whether a date in the file proves it. `scale`: what ratings are out
    of, 5 or 10; 0 where they are averages and no reader's.
    """

    rows: int = 0
    day_first: bool = False
    sure: bool = True
    scale: int = RATING_MAX


def gather(records: Iterable[Fields], form: Format, delimiter: str) -> Facts:
    """Read all records once and answer the facts.

    Where no date proves it, day comes first in files with semicolons, which
    spreadsheets write in countries that do so, and month first in the others.
    """
    rows = day_first = month_first = 0
    highest, averages = 0.0, False
    for fields in records:
        rows += 1
        for said in _said(fields):
            day_first, month_first = day_first + said, month_first + (not said)
        if form.guess and (rating := _rating(fields)) is not None:
            highest, averages = max(highest, rating), averages or not ratings.is_quarter(rating)
    sure = day_first != month_first
    return Facts(
        rows=rows,
        day_first=day_first > month_first if sure else delimiter == ";",
        sure=sure,
        scale=0 if averages else _TEN if RATING_MAX < highest <= _TEN else RATING_MAX,
    )


def _said(fields: Fields) -> Iterator[bool]:
    for name in ("when", "read"):
        for value in fields.get(name, ()):
            three = dates.numeric(value)
            if three is not None and not three.dotted and three.says_day_first is not None:
                yield three.says_day_first


def _rating(fields: Fields) -> float | None:
    return ratings.number(fields["rating"][0], RATING_MAX) if "rating" in fields else None
