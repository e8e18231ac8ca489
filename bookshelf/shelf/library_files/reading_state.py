"""Reads from a record whether the book was read: state, day, rating and review."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from bookshelf.shelf.library_files.format import Fields, Format
from bookshelf.shelf.library_files.values import (
    FileState,
    cut,
    is_quarter,
    is_yes,
    many_lines,
    numeric,
    parse_date,
    parse_number,
    parse_stars,
    shown,
    state_of,
)
from bookshelf.shelf.limits import RATING_MAX, REVIEW_MAX

_TEN = 10


class Facts(NamedTuple):
    """The facts about one file that its records are read by.

    `rows` is the number of its records, with those that have no book. `day_first` is how 01/03/2024 is read,
    and `sure` is True if a date in the file proves it. `scale` is the highest rating, 5 or 10; 0 if the
    ratings are averages of many readers.
    """

    rows: int = 0
    day_first: bool = False
    sure: bool = True
    scale: int = RATING_MAX


def gather(records: Iterable[Fields], form: Format, delimiter: str) -> Facts:
    """Read all records once and return the facts.

    If no date proves the order, the day comes first in files with semicolons, which spreadsheets write in
    countries with that order, and the month comes first in all others.
    """
    rows = day_first = month_first = 0
    highest, averages = 0.0, False
    for fields in records:
        rows += 1
        for proof in _day_first_proofs(fields):
            day_first, month_first = day_first + proof, month_first + (not proof)
        if form.guess and (rating := _rating(fields)) is not None:
            highest, averages = max(highest, rating), averages or not is_quarter(rating)
    sure = day_first != month_first
    return Facts(
        rows=rows,
        day_first=day_first > month_first if sure else delimiter == ";",
        sure=sure,
        scale=0 if averages else _TEN if RATING_MAX < highest <= _TEN else RATING_MAX,
    )


def _day_first_proofs(fields: Fields) -> Iterator[bool]:
    for name in ("when", "read"):
        for value in fields.get(name, ()):
            three = numeric(value)
            if three is not None and not three.dotted and three.proves_day_first is not None:
                yield three.proves_day_first


def _rating(fields: Fields) -> float | None:
    return parse_number(fields["rating"][0], RATING_MAX) if "rating" in fields else None


_NO_DAY = frozenset({"-", "n/a", "na", "none", "null", "never", "no", "nan", "nat", "0", "0000-00-00"})


class Setting(NamedTuple):
    """The values that all records of one file are read with.

    `today` is the user's date: nothing is finished after it. With `rated_is_read`, a book with a rating
    counts as read, because the file has no other field for that.
    """

    form: Format
    facts: Facts
    today: date
    rated_is_read: bool = False


def finished(fields: Fields, setting: Setting, notes: list[str]) -> tuple[bool, date | None]:
    """Return whether the book was read, and on which day, if that is known.

    A book with a day is read even if its state is another one (it is being read again), except for a book
    that was given up. An unknown state becomes a tag.
    """
    state = _state(fields, setting, notes)
    claims = [*_flags(fields, notes), *_days(fields)]
    read = state is FileState.FINISHED or (bool(claims) and state is not FileState.STOPPED)
    return read, _day(fields, setting, notes) if read else None


def _state(fields: Fields, setting: Setting, notes: list[str]) -> FileState | None:
    if "state" in fields:
        word = fields["state"][0].strip()
        state = state_of(word)
        if state is None or state is FileState.STOPPED:
            fields.setdefault("tags", [])
            fields.setdefault("more tags", []).append(word)
            notes.append(f"{shown([word])} kept as a tag: the book counts as not read")
        return state
    tags = [] if setting.form.exact else setting.form.split_tags(fields.get("tags", [""])[0])
    return next((state for tag in tags if (state := state_of(tag)) is not None), None)


def _flags(fields: Fields, notes: list[str]) -> list[str]:
    """Return the values of the yes-or-no columns that mean yes; a day in one is added to the days."""
    claims = []
    for value in fields.get("read", ()):
        yes = is_yes(value)
        if yes is None and any(map(str.isdigit, value)):
            fields.setdefault("when", []).append(value)
        elif yes is None:
            notes.append(f"{shown([value])} left out: neither yes nor no")
        elif yes:
            claims.append(value)
    return claims


def _days(fields: Fields) -> list[str]:
    """Remove values that mean no day from the fields, and return the others."""
    fields["when"] = [value for value in fields.get("when", ()) if value.strip().casefold() not in _NO_DAY]
    return fields["when"]


def _day(fields: Fields, setting: Setting, notes: list[str]) -> date | None:
    given = fields["when"]
    days = ((value, parse_date(value, day_first=setting.facts.day_first)) for value in given)
    value, day = next((pair for pair in days if pair[1]), ("", None))
    if day is None or day > setting.today:
        if given:
            why = "lies in the future" if day else "is no date"
            notes.append(f"read, but on no known day: {shown([value or given[0]])} {why}")
        return None
    three = numeric(value)
    if three and three.ambiguous and not setting.facts.sure:
        notes.append(f"{shown([value])} read as {day}: no date in the file proves the order of day and month")
    return day


class Opinion(NamedTuple):
    """The rating and the review of a finished book; a book that is not finished has neither."""

    finished: bool = False
    on: date | None = None
    rating: int | None = None
    review: str | None = None


def opinion(fields: Fields, setting: Setting, notes: list[str]) -> Opinion:
    """Return the opinion; for an unread book, the review moves to the notes, and the rating is left out."""
    done, day = finished(fields, setting, notes)
    scale = setting.facts.scale
    rating = parse_stars(fields["rating"][0], scale, notes) if "rating" in fields and scale else None
    if done or (setting.rated_is_read and rating):
        review = cut("review", passage("review", fields, setting), REVIEW_MAX, notes)
        return Opinion(finished=True, on=day, rating=rating, review=review or None)
    if rating:
        notes.append(f"rating {rating} left out: the book is not marked as read")
    if "review" in fields:
        notes.append("review moved to the notes: the book is not marked as read")
        fields["notes"] = ["\n\n".join([*fields.get("notes", [])[:1], fields["review"][0]])]
    return Opinion()


def passage(name: str, fields: Fields, setting: Setting) -> str:
    """Return a field of several lines, or the empty string."""
    if name not in fields:
        return ""
    return many_lines(fields[name][0], exact=setting.form.exact, markup=setting.form.markup)
