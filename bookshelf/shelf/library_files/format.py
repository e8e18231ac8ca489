"""The formats as tables: which columns say what, and what is peculiar to each."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Fields = dict[str, list[str]]
"""What a record says on each field, the best source first, never blank."""

Layout = Sequence[tuple[str, tuple[int, ...]]]
"""Which cells speak for each field, the best first."""

_SEPARATORS = re.compile(r"[\W_]+")


def folded(name: str) -> str:
    """Answer a column's name, or a state's, without case, punctuation and spacing."""
    return _SEPARATORS.sub(" ", name).strip().casefold()


def _as_it_is(_fields: Fields) -> None:
    """Change nothing: this format needs no mending."""


def commas(cell: str) -> list[str]:
    """Split a cell of tags at its commas."""
    return cell.split(",")


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """How one program, or one habit, writes a library.

    `marks` are the folded names of columns that all must be there; `columns`
    names for each field the folded columns to ask, the best first. `markup`:
    reviews and notes hold HTML. `exact`: our own, values stay as they are.
    `guess`: nothing is known of its ratings, the file's own values tell.
    `adapt` mends what is peculiar before the fields are read.
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
        """Tell whether a file with these columns is of this format."""
        names = {folded(name) for name in header}
        needed = (self.columns["title"], self.columns["author"])
        return names >= self.marks and not any(names.isdisjoint(some) for some in needed)

    def layout(self, header: Sequence[str]) -> Layout:
        """Answer where in a row each field is found, for the fields that are."""
        places: dict[str, list[int]] = {}
        for place, name in enumerate(header):
            places.setdefault(folded(name), []).append(place)
        found = (
            (name, tuple(place for column in columns for place in places.get(column, ())))
            for name, columns in self.columns.items()
        )
        return [(name, cells) for name, cells in found if cells]


def pick(layout: Layout, cells: Sequence[str]) -> Fields:
    """Answer what the cells, at least as many as the layout names, say on each field."""
    found: Fields = {}
    for name, places in layout:
        if values := [cells[place] for place in places if cells[place] and not cells[place].isspace()]:
            found[name] = values
    return found
