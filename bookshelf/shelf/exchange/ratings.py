"""Ratings: stars, numbers and fractions to whole stars, 1 to 5."""

import re

from bookshelf.shelf.limits import RATING_MAX, RATING_MIN

_NUMBER = re.compile(r"(\d+(?:[.,]\d+)?)(?:\s*/\s*(\d+))?(?:\s*(?:stars?|\*))?", re.IGNORECASE)
_FILLED, _STARS = "★*", frozenset("★*☆ ")
_STEP = 4
"""StoryGraph's readers give quarters of a star; an average hardly ever is one."""


def number(value: str, scale: int) -> float | None:
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


def stars(value: str, scale: int, notes: list[str]) -> int | None:
    """Answer whole stars, halves rounded up, or None for no rating: blank and 0 are none."""
    exact = number(value, scale)
    if exact is None or exact > RATING_MAX:
        notes.append(f"rating {value.strip()[:20]!r} left out: not a number of stars from 1 to 5")
        return None
    if not exact:
        return None
    whole = max(int(exact + 0.5), RATING_MIN)
    if whole != exact:
        notes.append(f"rating {value.strip()!r} rounded to {whole}")
    return whole
