"""Describes a library file's format as data: its columns, and what is special about its values."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Fields = dict[str, list[str]]
"""The values that a record has for each field, the best source first, never blank."""

Layout = Sequence[tuple[str, tuple[int, ...]]]
"""The indexes of the cells for each field, the best source first."""

_SEPARATORS = re.compile(r"[\W_]+")


def folded(name: str) -> str:
    """Return the name of a column or a state without case, punctuation and spacing."""
    return _SEPARATORS.sub(" ", name).strip().casefold()


def _as_it_is(_fields: Fields) -> None:
    """Change nothing: the fields of this format need no adaptation."""


def commas(cell: str) -> list[str]:
    """Return the tags of a cell, split at its commas."""
    return cell.split(",")


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """The format in which one program, or one common practice, writes a library.

    `marks` are the folded names of columns that must all be present; `columns` has for each field the folded
    names of its columns, the best source first. `markup`: reviews and notes are HTML. `exact`: the project's
    own format, whose values stay as they are. `guess`: the scale of the ratings is derived from the file.
    `adapt` changes what is special about the format's values before the fields are read.
    """

    name: str
    marks: frozenset[str]
    columns: Mapping[str, tuple[str, ...]]
    split_tags: Callable[[str], list[str]] = commas
    adapt: Callable[[Fields], None] = _as_it_is
    markup: bool = False
    exact: bool = False
    guess: bool = field(default=False)

    def recognises(self, header: Iterable[str]) -> bool:
        """Return True if a file with these columns has this format."""
        names = {folded(name) for name in header}
        needed = (self.columns["title"], self.columns["author"])
        return names >= self.marks and not any(names.isdisjoint(some) for some in needed)

    def layout(self, header: Sequence[str]) -> Layout:
        """Return the indexes of the cells of each field that the header has."""
        indexes: dict[str, list[int]] = {}
        for index, name in enumerate(header):
            indexes.setdefault(folded(name), []).append(index)
        cells_of = (
            (name, tuple(index for column in columns for index in indexes.get(column, ())))
            for name, columns in self.columns.items()
        )
        return [(name, cells) for name, cells in cells_of if cells]


def pick(layout: Layout, cells: Sequence[str]) -> Fields:
    """Return the values of each field; there must be as many cells as the layout has indexes."""
    fields: Fields = {}
    for name, indexes in layout:
        if values := [cells[index] for index in indexes if cells[index] and not cells[index].isspace()]:
            fields[name] = values
    return fields
