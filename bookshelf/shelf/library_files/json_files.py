"""The project's own JSON files: one object for each book, list and goal, with all that the shelf has of it.

The object of a book has the fields of its answer, `type` in front of them, and in place of the number of
readings the readings themselves, then the passages. A list has its entries in order, each with its book and
when it was put there; a goal has its year. An import makes the same shelf of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.fields import FIRST_FIELDS, BookFields
from bookshelf.shelf.library_files.entry import (
    Entry,
    FileGoal,
    FileList,
    FilePassage,
    FileReading,
    Line,
    ListPlace,
    Refusal,
)
from bookshelf.shelf.library_files.shelf_index import ShelfBook
from bookshelf.shelf.values import Cover, whole_stars

BOOK, LIST, GOAL = "book", "list", "goal"
"""The `type` of each kind of object. The first release wrote books without a type and without readings."""
Written = ShelfBook | FileList | FileGoal
_encode = msgspec.json.Encoder().encode


class _BookLine(BookFields, frozen=True, kw_only=True, omit_defaults=True):
    """A line of an export, as it is read; the fields that other fields state exactly are not."""

    id: str
    added: datetime
    stars: float | None = None
    rating: int | None = None
    review: str | None = None
    spoiler: bool = False
    readings: tuple[FileReading, ...] = ()
    passages: tuple[FilePassage, ...] = ()
    lists: tuple[ListPlace, ...] = ()
    cover: Cover | None = None


#: The fields of a book that an import reads; the others follow from these.
READ_FIELDS = frozenset(_BookLine.__struct_fields__)


def write_jsonl(things: Iterable[Written]) -> Iterator[str]:
    """Yield one line for each book, list or goal, with its line end."""
    for thing in things:
        yield _encode(_object_of(thing)).decode() + "\n"


def write_json(things: Iterable[Written]) -> Iterator[str]:
    """Yield the parts of one array of all books, lists and goals, one on each line."""
    before = "[\n"
    for thing in things:
        yield before + _encode(_object_of(thing)).decode()
        before = ",\n"
    yield "\n]\n" if before != "[\n" else "[]\n"


def _object_of(thing: Written) -> dict[str, Any]:
    if isinstance(thing, ShelfBook):
        return to_object(thing)
    fields: dict[str, Any] = msgspec.to_builtins(thing)
    del fields["line"]
    return {"type": LIST if isinstance(thing, FileList) else GOAL, **fields}


def to_object(book: ShelfBook) -> dict[str, Any]:
    """Return the object of a book: the fields of the first release, then those that have a value."""
    fields = msgspec.structs.asdict(book.book)
    summary = _summary(book)
    later = {
        name: value
        for name, value in fields.items()
        if name not in FIRST_FIELDS and value not in (None, (), {})
    }
    own = {
        "stars": None if summary["rating"] == book.stars else book.stars,
        "spoiler": book.spoiler or None,
        "readings": [_plain(reading) for reading in book.readings] or None,
        "passages": list(book.passages) or None,
        "cover": book.cover,
    }
    return {
        "type": BOOK,
        "id": book.id,
        **{name: fields[name] for name in FIRST_FIELDS},
        **summary,
        "added": book.added,
        **later,
        **{name: value for name, value in own.items() if value is not None},
    }


def _summary(book: ShelfBook) -> dict[str, Any]:
    """Return the fields that show the readings as one, for programs that know no others."""
    ends = {reading.end: reading for reading in book.readings}
    finished = ends.get("finished")
    paused = "open" in ends and ends["open"].paused
    state = next((end for end in ("open", "finished", "abandoned") if end in ends), "unread")
    day = finished.ended if finished else None
    return {
        "state": ("paused" if paused else "reading") if state == "open" else state,
        "finished": day if day and len(day) == len("2024-03-01") else None,
        "rating": None if book.stars is None else whole_stars(book.stars),
        "review": book.review,
    }


def _plain(reading: FileReading) -> dict[str, Any]:
    """Return a reading without its number, which another shelf gives it anew in the same sequence."""
    fields: dict[str, Any] = msgspec.to_builtins(reading)
    fields.pop("number", None)
    if reading.entries:
        fields.pop("progress", None)
    return {**fields, "end": reading.end}


def to_line(line: int, found: Mapping[str, Any], raw: tuple[str, ...]) -> Line:
    """Return what an object of an export is: the entry of a book, a list, a goal, or a refusal."""
    if found["type"] == BOOK:
        return to_entry(line, found, raw)
    try:
        kind: Any = FileList if found["type"] == LIST else FileGoal
        thing: FileList | FileGoal = msgspec.convert({**found, "line": line}, kind)
    except msgspec.ValidationError as fault:
        return Refusal(line, _to_correct(fault), raw)
    return thing


def _to_correct(fault: msgspec.ValidationError) -> Phrase:
    return phrase("{fault}: correct it", fault=str(fault))


def to_entry(line: int, book: Mapping[str, Any], raw: tuple[str, ...]) -> Entry | Refusal:
    """Return the entry of an object of an export, or its refusal."""
    try:
        read = msgspec.convert(book, _BookLine)
    except msgspec.ValidationError as fault:
        return Refusal(line, _to_correct(fault), raw)
    given = msgspec.structs.asdict(read)
    stars = read.stars if read.stars is not None or read.rating is None else float(read.rating)
    rated = any(reading.stars is not None for reading in read.readings)
    reviewed = any(reading.review is not None for reading in read.readings)
    return Entry(
        line=line,
        book=BookFields(**{name: given[name] for name in BookFields.__struct_fields__}),
        id=read.id,
        added=read.added.isoformat(),
        readings=read.readings,
        stars=None if rated else stars,
        review=None if reviewed else read.review,
        spoiler=read.spoiler and not reviewed,
        passages=read.passages,
        lists=read.lists,
        cover=read.cover,
        raw=raw,
    )
