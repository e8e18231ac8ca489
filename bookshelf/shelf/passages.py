"""The passages of a book: quotes and notes, with an optional place. READING decides and folds them."""

from typing import Any

import msgspec
from msgspec.structs import replace

from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.message import Command, Event
from bookshelf.shelf.events import PassageAdded, PassageChanged, PassageRemoved
from bookshelf.shelf.fields import present
from bookshelf.shelf.limits import PASSAGES_MAX
from bookshelf.shelf.reading_commands import AddPassage, ChangePassage, RemovePassage
from bookshelf.shelf.values import ReadingProgress, Totals, check_progress


class Passage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One passage of a book."""

    quote: str | None = None
    note: str | None = None
    progress: ReadingProgress | None = None


class BookPassages(msgspec.Struct, frozen=True, omit_defaults=True):
    """The passages of a book by number, and the highest number so far."""

    by_number: dict[int, Passage] = {}
    last_number: int = 0


def decide(passages: BookPassages, command: Command, totals: Totals) -> list[Event]:
    """Return the events that a command leads to. Raises `NotFound`, `Conflict`, `Invalid`."""
    match command:
        case AddPassage():
            if len(passages.by_number) >= PASSAGES_MAX:
                msg = f"a book has up to {PASSAGES_MAX} passages; remove some"
                raise Conflict(msg)
            added = Passage(**_plain(msgspec.structs.asdict(command), totals))
            _check_content(added)
            fields = msgspec.structs.asdict(added)
            return [PassageAdded(passage=passages.last_number + 1, **fields)]
        case ChangePassage(passage=number):
            passage = _passage(passages, number)
            given = present(command)
            del given["passage"]
            given = _plain(given, totals)
            changed = {name: value for name, value in given.items() if getattr(passage, name) != value}
            _check_content(replace(passage, **changed))
            return [PassageChanged(passage=number, **changed)] if changed else []
        case RemovePassage(passage=number):
            _passage(passages, number)
            return [PassageRemoved(passage=number)]
    return []


def _passage(passages: BookPassages, number: int) -> Passage:
    if number not in passages.by_number:
        msg = f"this book has no passage {number}"
        raise NotFound(msg)
    return passages.by_number[number]


def _plain(given: dict[str, Any], totals: Totals) -> dict[str, Any]:
    """Return the fields in the plain types of events; empty texts are none."""
    plain: dict[str, Any] = {name: value or None for name, value in given.items()}
    if plain.get("progress") is not None:
        plain["progress"] = check_progress(plain["progress"], totals)
    return plain


def _check_content(passage: Passage) -> None:
    if passage.quote is None and passage.note is None:
        raise Invalid("is required, or a note", field="quote")


def evolve(passages: BookPassages, event: Event) -> BookPassages:
    """Return the passages after an event; the same ones if it does not concern them."""
    by_number = passages.by_number
    match event:
        case PassageAdded(passage=number, quote=quote, note=note, progress=progress):
            added = {**by_number, number: Passage(quote, note, progress)}
            return BookPassages(added, max(number, passages.last_number))
        case PassageChanged(passage=number) if number in by_number:
            changed = present(event)
            del changed["passage"]
            return replace(passages, by_number={**by_number, number: replace(by_number[number], **changed)})
        case PassageRemoved(passage=removed):
            left = {number: passage for number, passage in by_number.items() if number != removed}
            return replace(passages, by_number=left)
    return passages
