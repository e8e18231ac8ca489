"""Describes a library file's format as data: its columns, and what is special about its values."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

EXTRA, IGNORED = "extra", "ignored"
"""What becomes of a column that is no field of a book: its values are kept by name, or left out."""

_JOINED = frozenset({EXTRA, IGNORED, "tags", "notes", "description", "review"})
"""Fields whose columns are joined in the sequence of the file; of other fields, the best column is first."""


class Cell(NamedTuple):
    """One value of a record, with the name of its column."""

    column: str
    text: str


Fields = dict[str, list[Cell]]
"""The cells that a record has for each field, the best source first, never blank."""

Layout = Sequence[tuple[str, tuple[int, ...]]]
"""The indexes of the cells for each field, the best source first."""

_SEPARATORS = re.compile(r"[\W_]+")


def folded(name: str) -> str:
    """Return the name of a column without case, punctuation and spacing."""
    return _SEPARATORS.sub(" ", name).strip().casefold()


def names(listed: str) -> tuple[str, ...]:
    """Return the names of a list that commas separate."""
    return tuple(" ".join(name.split()) for name in listed.split(","))


def _as_it_is(_fields: Fields) -> None:
    """Change nothing: the fields of this format need no adaptation."""


def commas(cell: str) -> list[str]:
    """Return the parts of a cell, split at its commas."""
    return cell.split(",")


def whole(cell: str) -> list[str]:
    """Return the cell as its only part."""
    return [cell]


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """The format in which one program, or one common practice, writes a library.

    `marks` are the folded names of columns that must all be present; `columns` has for each field the folded
    names of its columns, the best source first; columns in `ignored` are left out, all others kept as extra.
    `scheme` is the program's name in a book's ids. `markup`: reviews and notes are HTML. `exact`: the
    project's own format, whose values stay as they are. `guess`: the scale of the ratings is derived from the
    file. `last_first`: names are "Last, First". `adapt` changes what is special about the format's values.
    """

    name: str
    marks: frozenset[str]
    columns: Mapping[str, tuple[str, ...]]
    ignored: frozenset[str] = frozenset()
    split_tags: Callable[[str], list[str]] = commas
    split_names: Callable[[str], list[str]] = whole
    adapt: Callable[[Fields], None] = _as_it_is
    last_first: bool = False
    markup: bool = False
    exact: bool = False
    guess: bool = field(default=False)

    def recognises(self, header: Iterable[str]) -> bool:
        """Return True if a file with these columns has this format."""
        present = {folded(name) for name in header}
        needed = (*self.columns["title"], *(self.columns.get("isbn", ()) if not self.marks else ()))
        return present >= self.marks and not present.isdisjoint(needed)

    def layout(self, header: Sequence[str], chosen: Mapping[str, str] | None = None) -> Layout:
        """Return the indexes of the cells of each field; `chosen` has the field of a column by its name."""
        fields_of = {name: field for field, listed in self.columns.items() for name in listed}
        order = {name: place for listed in self.columns.values() for place, name in enumerate(listed)}
        indexes: dict[str, list[tuple[int, int]]] = {}
        for index, name in enumerate(header):
            text = folded(name)
            if not name:
                continue
            ignored = text in self.ignored or (text == "reason" and index == len(header) - 1)
            target = (chosen or {}).get(name) or (IGNORED if ignored else fields_of.get(text, EXTRA))
            place = index if target in _JOINED else order.get(text, 0)
            indexes.setdefault(target, []).append((place, index))
        return [(target, tuple(index for _, index in sorted(cells))) for target, cells in indexes.items()]


def pick(layout: Layout, header: Sequence[str], cells: Sequence[str]) -> Fields:
    """Return the cells of each field; there must be as many cells as the layout has indexes."""
    fields: Fields = {}
    for name, indexes in layout:
        if len(indexes) == 1:  # nearly all: ten thousand lines have a quarter of a million cells
            (index,) = indexes
            if not (cell := cells[index]).isspace() and cell:
                fields[name] = [Cell(header[index], cell)]
        elif chosen := [Cell(header[index], cells[index]) for index in indexes if cells[index].strip()]:
            fields[name] = chosen
    return fields
