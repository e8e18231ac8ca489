"""The report of an import: one structure, rendered as text for people and as JSON for programs."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import Any, Generic, Self, TypeVar

import msgspec

from bookshelf.cqrs.phrases import Phrase
from bookshelf.shelf.library_files.compare import Difference
from bookshelf.shelf.library_files.entry import Refusal
from bookshelf.shelf.library_files.library import Library
from bookshelf.shelf.library_files.setting import ColumnUse

#: Items of each list that are printed; the file of refused lines and the JSON have them all.
SHOWN = 20
#: Bytes of a list that are kept in memory.
_SPOOLED = 1_000_000
_VALUE_SHOWN = 60
_BOOK_COUNTS = ("read", "added", "updated", "finished", "unchanged", "restored", "skipped")
_COUNTS = (*_BOOK_COUNTS, "lists", "listed", "goals")

Item = TypeVar("Item", bound=msgspec.Struct)


class Remark(msgspec.Struct, frozen=True):
    """What was left out or changed of a line, or of the file (line 0), and why."""

    line: int
    reason: Phrase


class Spool(Generic[Item]):
    """A list of any length in little memory, kept in a temporary file."""

    def __init__(self, item: type[Item]) -> None:
        self._file = SpooledTemporaryFile(_SPOOLED)  # noqa: SIM115 (closed with the spool)
        self._decode = msgspec.json.Decoder(item).decode
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def append(self, item: Item) -> None:
        """Add an item at the end."""
        self._file.write(msgspec.json.encode(item) + b"\n")
        self._count += 1

    def __iter__(self) -> Iterator[Item]:
        """Yield the items in the order in which they were added; none may be added meanwhile."""
        self._file.seek(0)
        try:
            for line in self._file:
                yield self._decode(line)
        finally:
            self._file.seek(0, 2)


class ImportReport:
    """The counts and lists of an import, or of its preview. Its duration counts from its creation.

    `unchanged` are lines with nothing to do, `updated` are books that were on the shelf and got a value,
    `finished` are books that became finished, `skipped` are lines that an option or a removed book
    left out, `lists` were created or restored, `listed` are entries that were added to lists, `goals` were
    set. `new_books` counts the added books by their state in the file, and those with stars; `entries` are
    the entries that were added, by the name of their list. What it lists is in temporary files: use it as a
    context manager.
    """

    columns: tuple[ColumnUse, ...] = ()

    def __init__(self, correlation: str = "", *, preview: bool = False) -> None:
        self.preview = preview
        self.correlation = correlation
        self.read = self.added = self.updated = self.finished = self.unchanged = 0
        self.restored = self.skipped = self.listed = self.lists = self.goals = 0
        self.refused: Spool[Refusal] = Spool(Refusal)
        self.differences: Spool[Difference] = Spool(Difference)
        self.warnings: Spool[Remark] = Spool(Remark)
        self.new_books: Counter[str] = Counter()
        self.entries: Counter[str] = Counter()
        self.encoding = self.format = self.dates = ""
        self.refused_file: str | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.refused.close()
        self.differences.close()
        self.warnings.close()

    def describe(self, library: Library) -> None:
        """Take over what is known of the file as a whole."""
        self.format, self.encoding, self.columns = library.form, library.encoding, library.columns
        if library.dates is not None:
            self.dates = f"{library.dates}, assumed" if library.dates_assumed else library.dates
        self.warn(0, *library.remarks)

    def warn(self, line: int, *reasons: Phrase) -> None:
        """Add remarks on a line."""
        for reason in reasons:
            self.warnings.append(Remark(line, reason))

    @property
    def seconds(self) -> float:
        """How long the import has taken."""
        return round(time.monotonic() - self._began, 3)

    def as_json(self) -> Iterator[bytes]:
        """Yield the parts of one JSON object."""
        yield b"{"
        for name in _COUNTS:
            yield _member(name, getattr(self, name)) + b","
        yield from _array("refused", map(_english, self.refused))
        yield from _array("differences", self.differences)
        yield from _array("warnings", map(_english, self.warnings))
        texts = (
            "columns",
            "encoding",
            "format",
            "dates",
            "correlation",
            "refused_file",
            "preview",
            "seconds",
        )
        yield b",".join(_member(name, getattr(self, name)) for name in texts) + b"}"

    def as_text(self) -> Iterator[str]:
        """Yield the report's lines for people."""
        yield self._summary()
        known = [("Format", self.format), ("encoding", self.encoding), ("dates", self.dates)]
        if found := "; ".join(f"{name}: {value}" for name, value in known if value):
            yield f"{found}."
        yield from _some("Refused", ((f"line {each.line}", str(each.reason)) for each in self.refused))
        yield from _some("Differences", map(_difference, self.differences))
        yield from _some("Left out or changed", (_remark(each) for each in self.warnings))
        yield from _some(
            "Columns", ((each.name, f"{each.values} values, {each.field}") for each in self.columns)
        )
        if self.refused_file is not None:
            yield f"The refused lines are in {self.refused_file}: correct them there and import that file."
        if self.preview:
            yield "Nothing was changed: this was a preview."
        elif self._has_changes:
            yield f"Its changes are taken back by: bookshelf undo --correlation {self.correlation}"

    @property
    def _has_changes(self) -> bool:
        changed = (self.added, self.updated, self.restored, self.lists, self.listed, self.goals)
        return any((*changed, *(each.taken for each in self.differences)))

    def _summary(self) -> str:
        counts = [f"{self.added} added", f"{self.updated} updated", f"{self.finished} finished"]
        counts += [f"{self.restored} restored"] * bool(self.restored)
        counts += [f"{self.unchanged} there already"]
        counts += [f"{self.skipped} skipped"] * bool(self.skipped)
        counts += [f"lists created: {self.lists}"] * bool(self.lists)
        counts += [f"{self.listed} put on lists"] * bool(self.listed)
        counts += [f"goals set: {self.goals}"] * bool(self.goals)
        counts += [f"{len(self.refused)} refused"]
        return f"{self.read} books read in {self.seconds:.1f} s: {', '.join(counts)}."


def _member(name: str, value: Any) -> bytes:  # noqa: ANN401 (of any field)
    return msgspec.json.encode(name) + b":" + msgspec.json.encode(value)


def _array(name: str, items: Iterable[Any]) -> Iterator[bytes]:
    yield msgspec.json.encode(name) + b":["
    for number, item in enumerate(items):
        yield b"," * bool(number) + msgspec.json.encode(item)
    yield b"],"


def _english(found: Refusal | Remark) -> dict[str, Any]:
    return {"line": found.line, "reason": str(found.reason)}


def _remark(remark: Remark) -> tuple[str, str]:
    return (f"line {remark.line}" if remark.line else "the file", str(remark.reason))


def _difference(difference: Difference) -> tuple[str, str]:
    shelf, file = _value(difference.shelf), _value(difference.file)
    what = f"{shelf} became {file}" if difference.taken else f"{shelf} on the shelf, {file} in the file: kept"
    return f"line {difference.line}, {difference.book}, {difference.field}", what


def _value(value: Any) -> str:  # noqa: ANN401 (of any field)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _VALUE_SHOWN else text[: _VALUE_SHOWN - 1] + "…"


def _some(title: str, items: Iterable[tuple[str, str]]) -> Iterator[str]:
    count = 0
    for count, (where, what) in enumerate(items, start=1):
        if count == 1:
            yield f"{title}:"
        if count <= SHOWN:
            yield f"  {where}: {what}"
    if count > SHOWN:
        yield f"  and {count - SHOWN} more (--json lists them all)"
