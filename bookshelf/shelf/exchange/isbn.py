"""ISBNs as people and spreadsheets leave them."""

import re
from collections.abc import Iterable, Iterator

_SPLIT = re.compile(r"[,;|/]")
_JUNK = re.compile(r"""\.0+$|[\s\-\u2010-\u2015="'.]|^ISBN(?:-?1[03])?:?""", re.IGNORECASE)
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+|97[89]\d{4}0{6}(?:\.0+)?", re.IGNORECASE)
_TEN = re.compile(r"\d{9}[\dX]")
_THIRTEEN = re.compile(r"97[89]\d{10}")
_SHORT = re.compile(r"\d{6,8}[\dX]")
_SHOWN = 20

_GOOD13, _GOOD10, _PADDED, _WRONG = range(4)


def choose(values: Iterable[str], notes: list[str]) -> str:
    """Answer the best ISBN of those given, 10 or 13 characters, or the empty string.

    Best is an ISBN-13 with a right check digit, then such an ISBN-10, then one
    that has lost its leading zeros, then one of full length with a wrong check
    digit (books are printed with those), which is noted. What is no ISBN, or
    what a spreadsheet has rounded, is noted only where there is no other.
    """
    given = [part for value in values for part in _parts(value)]
    ranked = [found for value in given if (found := _ranked(value))]
    if not ranked:
        notes.extend(_fault(value) for value in given)
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


def _fault(value: str) -> str:
    why = "a spreadsheet has rounded it" if _ROUNDED.fullmatch(value) else "not an ISBN"
    return f"isbn {value.strip()[:_SHOWN]!r} left out: {why}"
