"""Which values of a book came from a file: those whose newest event belongs to an import."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from bookshelf.cqrs.message import Event
from bookshelf.shelf import events
from bookshelf.shelf.events import EVENTS
from bookshelf.shelf.fields import present

#: The correlation id of an import begins with it.
IMPORT = "import-"
_MAPS = ("ids", "extra")


def set_by_hand(history: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the fields whose newest value was set by hand, by the names that `compare` has for them.

    `history` has the events of a book as its history shows them, oldest first.
    """
    by_hand: dict[str, bool] = {}
    maps: dict[str, dict[str, str]] = {name: {} for name in _MAPS}
    for happened in history:
        event = EVENTS.decode(happened["type"], msgspec.json.encode(happened["data"]))
        manual = not str(happened.get("correlation") or "").startswith(IMPORT)
        cover = ("cover",) if isinstance(event, events.CoverSet) else ()
        for field in cover or (_fields_of(event, maps) if event is not None else ()):
            by_hand[field] = manual
    return {field for field, manual in by_hand.items() if manual}


def _fields_of(event: Event, maps: dict[str, dict[str, str]]) -> Iterator[str]:
    """Yield the fields that an event sets; `maps` has the values of `ids` and `extra` so far."""
    match event:
        case events.BookAdded() | events.BookChanged():
            yield from _book_fields(present(event), maps)
        case events.BookRated(reading=number):
            yield from _with_reading(number, "stars")
        case events.BookReviewed(reading=number):
            yield from _with_reading(number, "review")
        case events.ReadingFinished(reading=number, stars=stars, review=review):
            yield from _of_reading(number, "end", "ended")
            yield from _with_reading(number, "stars") if stars is not None else ()
            yield from _with_reading(number, "review") if review is not None else ()
        case events.ReadingStarted(reading=number):
            yield from _of_reading(number, "started", "format", "end", "paused")
        case events.ReadingAbandoned(reading=number) | events.ReadingReopened(reading=number):
            yield from _of_reading(number, "end", "ended")
        case events.ReadingCorrected(reading=number):
            yield from _of_reading(number, *present(event).keys() - {"reading"})
        case events.ReadingPaused(reading=number) | events.ReadingResumed(reading=number):
            yield from _of_reading(number, "paused")
        case events.ReadingProgressed(reading=number):
            yield from _of_reading(number, "progress")


def _book_fields(given: dict[str, Any], maps: dict[str, dict[str, str]]) -> Iterator[str]:
    for name, values in maps.items():
        for key, value in given.pop(name, values).items():
            if values.get(key) != value:
                yield f"{name}.{key}"
                values[key] = value
    yield from given
    if "author" in given:
        yield "contributors"


def _with_reading(number: int | None, name: str) -> Iterator[str]:
    """Yield the field of a reading, and that of the book, which shows it."""
    yield name
    if number is not None:
        yield from _of_reading(number, name)


def _of_reading(number: int, *names: str) -> Iterator[str]:
    return (f"reading {number}: {name}" for name in names)
