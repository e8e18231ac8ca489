"""Whether a book was read, and when, from a state, a yes-or-no column and dates."""

from datetime import date
from typing import NamedTuple

from bookshelf.shelf.exchange import dates
from bookshelf.shelf.exchange.facts import Facts
from bookshelf.shelf.exchange.format import Fields, Format
from bookshelf.shelf.exchange.states import State, is_yes, state_of
from bookshelf.shelf.exchange.text import shown

_NO_DAY = frozenset({"-", "n/a", "na", "none", "null", "never", "no", "nan", "nat", "0", "0000-00-00"})


class Setting(NamedTuple):
    """What holds for every record of one file.

    `today` is the reader's date: nothing is finished after it. With
    `rated_is_read` a rating is all that the file says of reading.
    """

    form: Format
    facts: Facts
    today: date
    rated_is_read: bool = False


def finished(fields: Fields, setting: Setting, notes: list[str]) -> tuple[bool, date | None]:
    """Answer whether the book was read and on which day, if that is known.

    A day read counts as read even where the state says otherwise (a book is read
    again), except for a book given up. A state that is not known goes to the tags.
    """
    state = _state(fields, setting, notes)
    claims = [*_flags(fields, notes), *_days(fields)]
    read = state is State.FINISHED or (bool(claims) and state is not State.STOPPED)
    return read, _day(fields, setting, notes) if read else None


def _state(fields: Fields, setting: Setting, notes: list[str]) -> State | None:
    if "state" in fields:
        word = fields["state"][0].strip()
        state = state_of(word)
        if state is None or state is State.STOPPED:
            fields.setdefault("tags", [])
            fields.setdefault("more tags", []).append(word)
            notes.append(f"{shown([word])} kept as a tag: the book counts as not read")
        return state
    tags = [] if setting.form.exact else setting.form.split_tags(fields.get("tags", [""])[0])
    return next((state for tag in tags if (state := state_of(tag)) is not None), None)


def _flags(fields: Fields, notes: list[str]) -> list[str]:
    """Answer what the yes-or-no columns claim; a day in one claims it too."""
    claims = []
    for value in fields.get("read", ()):
        said = is_yes(value)
        if said is None and any(map(str.isdigit, value)):
            fields.setdefault("when", []).append(value)
        elif said is None:
            notes.append(f"{shown([value])} left out: neither yes nor no")
        elif said:
            claims.append(value)
    return claims


def _days(fields: Fields) -> list[str]:
    """Leave in the fields, and answer, only what names a day, or tries to."""
    fields["when"] = [value for value in fields.get("when", ()) if value.strip().casefold() not in _NO_DAY]
    return fields["when"]


def _day(fields: Fields, setting: Setting, notes: list[str]) -> date | None:
    given = fields["when"]
    days = ((value, dates.parse(value, day_first=setting.facts.day_first)) for value in given)
    value, day = next((pair for pair in days if pair[1]), ("", None))
    if day is None or day > setting.today:
        if given:
            why = "lies in the future" if day else "is no date"
            notes.append(f"read, but on no known day: {shown([value or given[0]])} {why}")
        return None
    three = dates.numeric(value)
    if three and three.ambiguous and not setting.facts.sure:
        notes.append(f"{shown([value])} read as {day}: nothing in the file tells day from month")
    return day
