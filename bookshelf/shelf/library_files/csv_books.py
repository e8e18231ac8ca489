"""The project's own CSV: one row for each book, with cells that a spreadsheet shows and an import reads back.

A cell with several values separates them as tags are; parts of one value stand between bars. Readings are
ranges: `2023-01-02..2023-02-03 finished 4.5`. What has no place in a cell is named by LEFT_OUT.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bookshelf.cqrs.phrases import phrase
from bookshelf.shelf.fields import FIELD_TYPES
from bookshelf.shelf.library_files.entry import Entry, FileReading, ListPlace, Refusal
from bookshelf.shelf.library_files.formats import COLUMNS, guarded, join_tags, split_tags, unguarded
from bookshelf.shelf.library_files.json_files import READ_FIELDS, to_entry, to_object
from bookshelf.shelf.library_files.shelf_index import ShelfBook

LEFT_OUT = "progress entries, passages, covers, goals, empty lists, and of a reading all but dates and stars"
READINGS = "readings"
LISTS = "lists"
_PARTS = re.compile(r"((?:[^\\|]|\\.)*)(?: \| |$)", re.DOTALL)
_READING = re.compile(r"([\d-]*)\.\.([\d-]*) (finished|abandoned|reading|paused)(?: (\d(?:\.\d+)?))?")


def _bars(values: Iterable[str | None]) -> str:
    """Return values as one text; a bar or a backslash inside of one has a backslash before it."""
    texts = [re.sub(r"([\\|])", r"\\\1", value or "") for value in values]
    while texts and not texts[-1]:
        texts.pop()
    return " | ".join(texts)


def _split_bars(text: str) -> list[str]:
    parts = [re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) for part in _PARTS.findall(text)]
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def _write_objects(names: Sequence[str]) -> Callable[[Any], str]:
    return lambda items: join_tags(_bars(getattr(item, name) for name in names) for item in items)


def _read_objects(names: Sequence[str]) -> Callable[[str], Any]:
    def read(cell: str) -> list[dict[str, str]]:
        parts = (zip(names, _split_bars(item), strict=False) for item in split_tags(cell))
        return [{name: part for name, part in each if part} for each in parts]

    return read


def _write_map(values: Mapping[str, str]) -> str:
    return join_tags(_bars(pair) for pair in values.items())


def _read_map(cell: str) -> dict[str, str]:
    return {name: "".join(rest[:1]) for name, *rest in map(_split_bars, split_tags(cell))}


def _write_readings(readings: Iterable[FileReading]) -> str:
    return "; ".join(map(_range, readings))


def _range(reading: FileReading) -> str:
    state = ("paused" if reading.paused else "reading") if reading.end == "open" else reading.end
    stars = "" if reading.stars is None else f" {reading.stars:g}"
    return f"{reading.started or ''}..{reading.ended or ''} {state}{stars}"


def _read_readings(cell: str) -> list[dict[str, Any]]:
    """Return the readings of a cell. Raises `ValueError`."""
    return [_read_range(text.strip()) for text in cell.split(";") if text.strip()]


def _read_range(text: str) -> dict[str, Any]:
    found = _READING.fullmatch(text)
    if found is None:
        raise ValueError(text)
    started, ended, state, stars = found.groups()
    is_open = state in {"reading", "paused"}
    dates = {"started": started or None, "ended": ended or None, "stars": float(stars) if stars else None}
    return {**dates, "end": "open" if is_open else state, "paused": state == "paused"}


def _write_lists(places: Iterable[ListPlace]) -> str:
    return join_tags(_bars((place.name, str(place.position or ""))) for place in places)


def _read_lists(cell: str) -> list[dict[str, Any]]:
    """Return the lists of a cell. Raises `ValueError`."""
    places = map(_split_bars, split_tags(cell))
    return [{"name": name, "position": int(rest[0]) if rest else None} for name, *rest in places]


_PEOPLE, _SERIES = ("name", "role", "sort"), ("name", "number")
_WRITE: Mapping[str, Callable[[Any], str]] = {
    "tags": join_tags,
    "contributors": _write_objects(_PEOPLE),
    "series": _write_objects(_SERIES),
    "ids": _write_map,
    "extra": _write_map,
    READINGS: _write_readings,
    LISTS: _write_lists,
}
_READ: Mapping[str, Callable[[str], Any]] = {
    "tags": split_tags,
    "contributors": _read_objects(_PEOPLE),
    "series": _read_objects(_SERIES),
    "ids": _read_map,
    "extra": _read_map,
    READINGS: _read_readings,
    LISTS: _read_lists,
    "pages": int,
    "minutes": int,
    "copies": int,
    "rating": int,
    "stars": float,
    "spoiler": lambda cell: cell == "true",
}
CSV_COLUMNS = (
    *COLUMNS,
    "stars",
    "spoiler",
    *(name for name in FIELD_TYPES if name not in COLUMNS),
    LISTS,
    READINGS,
)

#: The columns that an import reads; the others follow from these.
READ_COLUMNS = READ_FIELDS & frozenset(CSV_COLUMNS)


def to_cells(book: ShelfBook) -> list[str]:
    """Return the cells of a book; none of them is a formula to a spreadsheet."""
    values = {**msgspec.structs.asdict(book.book), **_shown(book)}
    return [guarded(_cell(column, values.get(column))) for column in CSV_COLUMNS]


def leaves_out(book: ShelfBook) -> bool:
    """Return True if a book has something that its cells do not have."""
    beyond = ("format", "reason", "entries")
    return bool(book.passages) or any(
        any(getattr(reading, name) for name in beyond) or reading.review not in {None, book.review}
        for reading in book.readings
    )


def _shown(book: ShelfBook) -> dict[str, Any]:
    shown = to_object(book)
    names = ("id", "state", "finished", "rating", "review", "stars")
    return {
        **{name: shown.get(name) for name in names},
        "added": book.added.isoformat().replace("+00:00", "Z"),
        "spoiler": "true" if book.spoiler else None,
        READINGS: book.readings,
        LISTS: book.lists,
    }


def _cell(column: str, value: Any) -> str:  # noqa: ANN401 (of any column)
    if value is None:
        return ""
    return _WRITE[column](value) if column in _WRITE else str(value)


def row_to_entry(line: int, header: Sequence[str], raw: tuple[str, ...]) -> Entry | Refusal:
    """Return the entry of a row of the project's own CSV, or its refusal."""
    book: dict[str, Any] = {}
    for column, text in zip(header, raw, strict=False):
        cell = unguarded(text)
        if not cell or column not in CSV_COLUMNS:
            continue
        try:
            book[column] = _READ[column](cell) if column in _READ else cell
        except ValueError as fault:
            if column != READINGS:
                reason = phrase("{column}: {value} is no number: correct it", column=column, value=repr(cell))
            else:
                reason = phrase(
                    "{column}: {value} is no reading such as {example}: correct it",
                    column=column,
                    value=repr(str(fault)),
                    example="2023-01-02..2023-02-03 finished 4.5",
                )
            return Refusal(line, reason, raw)
    return to_entry(line, book, raw)
