"""Library files for the tests: those in fixtures, and those a test writes itself."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from bookshelf.cqrs.phrases import Phrase
from bookshelf.shelf.fields import FIRST_FIELDS
from bookshelf.shelf.library_files import Entry, FileReading, Library, Options, Refusal, read_library

FIXTURES = Path(__file__).parents[2] / "fixtures" / "libraries"
TODAY = date(2024, 12, 31)


class ShortEntry(NamedTuple):
    """An entry in the fields of the first release: those of a book, and of its latest ended reading."""

    entry: Entry

    @property
    def line(self) -> int:
        return self.entry.line

    @property
    def book(self) -> dict[str, Any]:
        fields = ((name, getattr(self.entry.book, name)) for name in FIRST_FIELDS)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields if value}

    @property
    def reading(self) -> FileReading | None:
        ended = [reading for reading in self.entry.readings if reading.end == "finished"]
        return ended[-1] if ended else None

    @property
    def finished(self) -> bool:
        return self.reading is not None

    @property
    def finished_on(self) -> date | None:
        return date.fromisoformat(self.reading.ended) if self.reading and self.reading.ended else None

    @property
    def rating(self) -> float | None:
        return self.reading.stars if self.reading else None

    @property
    def review(self) -> str | None:
        return self.reading.review if self.reading else None

    @property
    def notes(self) -> tuple[str, ...]:
        return texts(self.entry.warnings)


def texts(phrases: Iterable[Phrase]) -> tuple[str, ...]:
    return tuple(map(str, phrases))


def fixture(name: str, **options: Any) -> Library:  # noqa: ANN401 (of Options)
    return read_library(FIXTURES / name, Options(**{"today": TODAY, **options}))


def library(folder: Path, content: str | bytes, **options: Any) -> Library:  # noqa: ANN401 (of Options)
    path = folder / "library.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_library(path, Options(**{"today": TODAY, **options}))


def whole(found: Library) -> dict[str, Entry]:
    """The entries by title; that there are no others, and no refusals, is checked."""
    answered = list(found)
    assert not [refusal for refusal in answered if isinstance(refusal, Refusal)]
    return {entry.book.title: entry for entry in answered if isinstance(entry, Entry)}


def entries(found: Library) -> dict[str, ShortEntry]:
    return {title: ShortEntry(entry) for title, entry in whole(found).items()}


def only(found: Library) -> ShortEntry:
    (entry,) = entries(found).values()
    return entry


def refusals(found: Library) -> list[Refusal]:
    return [refusal for refusal in found if isinstance(refusal, Refusal)]
