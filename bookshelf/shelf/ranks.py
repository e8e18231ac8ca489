"""Ranks: texts that order the entries of a list, with room for another one between any two.

A rank is a fraction in base 62 whose digits sort by code point; it never ends with the digit 0. Source of the
idea: David Greenspan, "Implementing Fractional Indexing" (2020).
"""

from collections.abc import Sequence

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LAST = _DIGITS[-1]
_BASE = len(_DIGITS)
#: Digits of the ranks of `even_ranks`: enough for far more entries than a list has.
_WIDTH = 4


def rank_between(low: str | None, high: str | None) -> str:
    """Return a rank between two others; None is the start or the end of the list.

    At the start and the end it grows by a digit for each 61 entries only.
    """
    if high is None:
        return _following(low) if low else _DIGITS[_BASE // 2]
    return _between(low, high) if low else _preceding(high)


def _following(rank: str) -> str:
    last = _DIGITS.index(rank[-1])
    return rank + _DIGITS[1] if rank[-1] == _LAST else rank[:-1] + _DIGITS[last + 1]


def _preceding(rank: str) -> str:
    last = _DIGITS.index(rank[-1])
    return rank[:-1] + (_DIGITS[last - 1] if last > 1 else _DIGITS[0] + _LAST)


def _between(low: str, high: str) -> str:
    """Return the shortest digits between two ranks, near the middle."""
    digits = ""
    bounded = True
    for place in range(max(len(low), len(high)) + 1):
        least = _DIGITS.index(low[place]) if place < len(low) else 0
        most = _DIGITS.index(high[place]) if bounded and place < len(high) else _BASE if not bounded else 0
        if most - least > 1:
            return digits + _DIGITS[(least + most) // 2]
        digits += _DIGITS[least]
        bounded = bounded and least == most
    return digits + _DIGITS[_BASE // 2]


def even_ranks(books: Sequence[str]) -> dict[str, str]:
    """Return a rank for each book, evenly spread, in this order."""
    step = _BASE**_WIDTH // (len(books) + 1)
    return {book: _digits(step * number) for number, book in enumerate(books, 1)}


def _digits(number: int) -> str:
    digits = "".join(_DIGITS[number // _BASE**place % _BASE] for place in reversed(range(_WIDTH)))
    return digits.rstrip(_DIGITS[0])
