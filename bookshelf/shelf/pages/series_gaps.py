"""The books of a series by number, with the numbers that are missing between them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.shelf.sort_keys import series_key

#: A whole number, or the first and the last of a book that has several.
_WHOLE = re.compile(r"(\d{1,4})(?:\s*[-\u2013]\s*(\d{1,4}))?")
#: Numbers that are missing in a row, at the most, to be named: years as numbers have longer gaps.
_GAP_MAX = 50


class SeriesPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a series: its number and its book; or the first and the last missing number."""

    number: str = ""
    book: BookTile | None = None
    first: int = 0
    last: int = 0


def places_of(name: str, books: Sequence[Mapping[str, Any]]) -> tuple[SeriesPlace, ...]:
    """Return the books of a series by number, those without one last, with the gaps between whole numbers."""
    numbered = sorted(
        ((_number_of(name, book), book) for book in books),
        key=lambda pair: (not pair[0], series_key("", pair[0]), str(pair[1]["title"])),
    )
    missing = _missing([number for number, _ in numbered])
    places: list[SeriesPlace] = []
    for number, book in numbered:
        whole = _WHOLE.fullmatch(number)
        if not number or whole:
            before = int(whole[1]) if whole else None
            while missing and (before is None or missing[0].last < before):
                places.append(missing.pop(0))
        places.append(SeriesPlace(number=number, book=book_tile(book)))
    return tuple(places)


def _number_of(name: str, book: Mapping[str, Any]) -> str:
    entries = [entry for entry in book.get("series") or () if entry["name"] == name]
    return str(entries[0].get("number") or "").strip() if entries else ""


def _missing(numbers: Sequence[str]) -> list[SeriesPlace]:
    """Return the gaps between 1 and the last whole number, in their sequence."""
    had = set(_covered(numbers))
    lacking = [number for number in range(1, max(had, default=0)) if number not in had]
    gaps = []
    for _, run in groupby(enumerate(lacking), lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        if len(found) <= _GAP_MAX:
            gaps.append(SeriesPlace(first=found[0], last=found[-1]))
    return gaps


def _covered(numbers: Sequence[str]) -> Iterator[int]:
    for number in numbers:
        if whole := _WHOLE.fullmatch(number):
            yield from range(int(whole[1]), int(whole[2] or whole[1]) + 1)
