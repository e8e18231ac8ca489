"""The inverse of a change of a book: from its state before and after the change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from msgspec.structs import asdict

from bookshelf.cqrs.message import Event
from bookshelf.shelf import passages
from bookshelf.shelf.book import BOOK, Shelved
from bookshelf.shelf.book_readings import ProgressEntry, Reading
from bookshelf.shelf.events import BookRemoved
from bookshelf.shelf.fields import DEFAULTS
from bookshelf.shelf.inverse import Inverse, Slot
from bookshelf.shelf.passages import BookPassages, Passage

#: Fields that a PATCH merges entry by entry.
_MERGED = frozenset({"ids", "extra"})


T = TypeVar("T")


class BookState(NamedTuple):
    """All of a book that a change can change. `merged_into` is that of its last removal."""

    book: Shelved = BOOK.initial
    passages: BookPassages = BookPassages()
    merged_into: str | None = None

    def after(self, event: Event) -> "BookState":
        """Return the state after an event."""
        merged_into = event.merged_into if isinstance(event, BookRemoved) else self.merged_into
        return BookState(BOOK.evolve(self.book, event), passages.evolve(self.passages, event), merged_into)


class BookPast:
    """Inverts the changes of one book, one after the other."""

    def __init__(self, book_id: str) -> None:
        self._path = f"/books/{quote(book_id, safe='')}"
        self._state = BookState()
        #: The open reading.
        self._open: int | None = None

    def invert(self, events: Sequence[Event]) -> Inverse:
        """Return the inverse of the next change."""
        numbers, before = _numbers(events), self._state
        self._state = reduce(BookState.after, events, before)
        inverse = _invert_book(self._path, before, self._state, numbers)
        former, self._open = self._open, self._open_after(numbers.readings)
        if former != self._open:
            inverse.opened, inverse.opens = self._open, former
        return inverse

    def _open_after(self, changed: frozenset[int]) -> int | None:
        """Return the open reading, which is one of the changed readings, or else the one that was open."""
        readings = self._state.book.readings.by_number
        open_now = (n for n in changed & readings.keys() if readings[n].is_open and not readings[n].removed)
        return next(open_now, None if self._open in changed else self._open)

    def finish(self, inverse: Inverse) -> None:
        """Complete an inverse by the present state: a reading cannot be opened while another one is open."""
        inverse.hindered_by = None if inverse.opens in {None, self._open} else self._open


class _Numbers(NamedTuple):
    """The readings, progress entries and passages that events name: no others have changed."""

    readings: frozenset[int]
    entries: frozenset[int]
    passages: frozenset[int]


def _numbers(events: Sequence[Event]) -> _Numbers:
    def named(field: str) -> frozenset[int]:
        return frozenset(n for event in events if (n := getattr(event, field, None)) is not None)

    return _Numbers(named("reading"), named("entry"), named("passage"))


def _invert_book(path: str, before: BookState, after: BookState, numbers: _Numbers) -> Inverse:
    """Return the inverse of the change between two states of a book."""
    inverse = Inverse()
    if before.book.here != after.book.here:
        inverse.changed((), before.book.here, after.book.here)
        if not after.book.here:
            inverse.ask("POST", f"{path}/restored")
        else:
            merged = before.merged_into
            inverse.ask("DELETE", path if merged is None else f"{path}?merged-into={quote(merged, safe='')}")
        return inverse
    _invert_fields(inverse, path, before.book, after.book)
    _invert_opinion(inverse, path, (), before.book.readings, after.book.readings)
    if before.book.cover != after.book.cover:
        inverse.changed(("cover",), before.book.cover, after.book.cover)
        if before.book.cover is None:
            inverse.ask("DELETE", f"{path}/cover")
        else:
            inverse.ask("PUT", f"{path}/cover", asdict(before.book.cover))
    former, present = before.book.readings, after.book.readings
    for number in numbers.readings & present.by_number.keys():
        states = former.by_number.get(number), present.by_number[number]
        _invert_reading(inverse, path, number, states, numbers.entries)
    for number, old, new in _differing(before.passages.by_number, after.passages.by_number, numbers.passages):
        _invert_passage(inverse, path, number, old, new)
    return inverse


def _differing(
    former: Mapping[int, T], present: Mapping[int, T], numbers: Iterable[int]
) -> Iterator[tuple[int, T | None, T | None]]:
    """Yield those of the numbers whose values differ, with both."""
    for number in numbers:
        was, now = former.get(number), present.get(number)
        if was != now:
            yield number, was, now


def _invert_fields(inverse: Inverse, path: str, before: Shelved, after: Shelved) -> None:
    former = {name: was for name in DEFAULTS if (was := getattr(before, name)) != getattr(after, name)}
    if not former:
        return
    for name, was in former.items():
        inverse.changed(("field", name), was, getattr(after, name))
    body = dict(former)
    for name in _MERGED & former.keys():
        body[name] = {**dict.fromkeys(getattr(after, name)), **former[name]} if former[name] else None
    if former.get("contributors"):
        body.pop("author", None)  # it follows from them
    elif "contributors" in former or former.get("author") == "":
        # first without contributors; then the author is a text of its own
        body.pop("author", None)
        inverse.ask("PATCH", path, {**body, "contributors": []})
        body = {"author": before.author} if before.author else {}
    if body:
        inverse.ask("PATCH", path, body)


def _invert_opinion(inverse: Inverse, path: str, slot: Slot, before: Any, after: Any) -> None:  # noqa: ANN401 (a reading, or readings)
    """Invert a change of stars and review, of a reading or (`slot` is empty) of the book itself."""
    reading = {"reading": slot[1]} if slot else {"reading": 0}
    if before.stars != after.stars:
        inverse.changed((*slot, "stars"), before.stars, after.stars)
        inverse.ask("PUT", f"{path}/rating", {"stars": before.stars, **reading})
    was, now = (before.review, before.spoiler), (after.review, after.spoiler)
    if was != now:
        inverse.changed((*slot, "review"), was, now)
        inverse.ask("PUT", f"{path}/review", {"text": before.review, "spoiler": before.spoiler, **reading})


def _invert_reading(
    inverse: Inverse, path: str, number: int, states: tuple[Reading | None, Reading], entries: Iterable[int]
) -> None:
    slot: Slot = ("reading", number)
    own = f"{path}/readings/{number}"
    was, now = states
    if was is None or was.removed:
        if not now.removed:
            inverse.changed(slot, None, "present")
            inverse.ask("DELETE", own)
        return
    if now.removed:
        inverse.changed(slot, "present", None)
        inverse.ask("POST", f"{own}/restored")
        return
    _invert_life(inverse, own, slot, was, now)
    _invert_opinion(inverse, path, slot, was, now)
    for entry, old, new in _differing(was.entries, now.entries, entries):
        _invert_entry(inverse, own, (*slot, "entry", entry), old, new)


def _invert_life(inverse: Inverse, path: str, slot: Slot, was: Reading, now: Reading) -> None:
    """Invert a change of end, pause, dates or format of a reading."""
    life = ("end", "paused", "reason")
    dates = {
        name: old
        for name in ("started", "ended", "format")
        if (old := getattr(was, name)) != getattr(now, name)
    }
    for name, old in dates.items():
        inverse.changed((*slot, name), old, getattr(now, name))
    if any(getattr(was, name) != getattr(now, name) for name in life):
        values = [tuple(getattr(reading, name) for name in life) for reading in (was, now)]
        inverse.changed((*slot, "life"), values[0], values[1], waits=slot)
        dates.pop("ended", None)
        _ask_for_end(inverse, path, was, now)
    if dates:
        inverse.ask("PATCH", path, dates)


def _ask_for_end(inverse: Inverse, path: str, was: Reading, now: Reading) -> None:
    if now.end not in {"open", was.end}:
        inverse.ask("POST", f"{path}/reopened")
    if was.end == "finished":
        inverse.ask("POST", f"{path}/finished", {"finished": was.ended})
    elif was.end == "abandoned":
        inverse.ask("POST", f"{path}/abandoned", {"on": was.ended, "reason": was.reason})
    elif was.paused:
        inverse.ask("POST", f"{path}/paused", {"on": None})
    elif now.paused:
        inverse.ask("POST", f"{path}/resumed", {"on": None})


def _invert_entry(
    inverse: Inverse, path: str, slot: Slot, was: ProgressEntry | None, now: ProgressEntry | None
) -> None:
    inverse.changed(slot, was, now)
    if was is None:
        inverse.ask("DELETE", f"{path}/progress/{slot[-1]}")
    else:
        inverse.waits.add((*slot[:2], "life"))
        inverse.ask("POST", f"{path}/progress", asdict(was))


def _invert_passage(
    inverse: Inverse, path: str, number: int, was: Passage | None, now: Passage | None
) -> None:
    inverse.changed(("passage", number), was, now)
    if was is None:
        inverse.ask("DELETE", f"{path}/passages/{number}")
    elif now is None:
        inverse.ask("POST", f"{path}/passages", asdict(was))
    else:
        former = {name: old for name, old in asdict(was).items() if old != getattr(now, name)}
        inverse.ask("PATCH", f"{path}/passages/{number}", former)
