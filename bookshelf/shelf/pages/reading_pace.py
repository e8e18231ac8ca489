"""How far an open reading has come, and how many evenings it takes at the pace of the last days."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from math import ceil
from typing import Any

import msgspec

from bookshelf.shelf.pages.progress_text import write_progress
from bookshelf.shelf.values import ReadingProgress

#: The pace is that of the entries of so many days, if there are so many entries.
_DAYS, _ENTRIES = 14, 3
_FULL_DAY = len("2026-01-31")


class ReadingPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How far a reading has come: unit, value and total; the share of 1; the evenings that are left.

    `typed` is the value as a reader writes it. Values that are not known are None.
    """

    unit: str = "page"
    value: float | None = None
    of: float | None = None
    share: float | None = None
    typed: str = ""
    evenings: int | None = None


def find_position(
    progress: Mapping[str, Any] | None, entries: Sequence[Mapping[str, Any]], today: date
) -> ReadingPosition:
    """Return the position of a reading for its progress and its entries as the API answers them."""
    if not progress:
        return ReadingPosition()
    known = msgspec.convert(progress, ReadingProgress)
    if known.percent is not None:
        unit, value, of = "percent", known.percent, None
    elif known.minutes is not None:
        unit, value, of = "minutes", float(known.minutes), known.of
    else:
        unit, value, of = "page", float(known.page or 0), known.of
    typed = write_progress(progress)
    share = _share(progress)
    evenings = None if share is None else _evenings_left(share, entries, today)
    return ReadingPosition(unit=unit, value=value, of=of, share=share, typed=typed, evenings=evenings)


def _share(progress: Mapping[str, Any]) -> float | None:
    """Return the part of the book that was read, if its total is known."""
    if "percent" in progress:
        return float(progress["percent"]) / 100
    value = progress.get("page", progress.get("minutes"))
    return min(value / progress["of"], 1.0) if value is not None and progress.get("of") else None


def _evenings_left(share: float, entries: Sequence[Mapping[str, Any]], today: date) -> int | None:
    """Return how many more days of reading the rest takes; None if the pace is not known."""
    since = (today - timedelta(days=_DAYS)).isoformat()
    recent = sorted(
        (entry["on"], part)
        for entry in entries
        if since < entry.get("on", "") <= today.isoformat() and len(entry["on"]) == _FULL_DAY
        if (part := _share(entry["progress"])) is not None
    )
    days = len({day for day, _ in recent})
    if len(recent) < _ENTRIES or days < 2:  # noqa: PLR2004 (a pace has two days)
        return None
    gain = (recent[-1][1] - recent[0][1]) / (days - 1)
    return ceil(round((1 - share) / gain, 6)) if gain > 0 and share < 1 else None
