"""Library files for the tests: those in fixtures, and those a test writes itself."""

from datetime import date
from pathlib import Path

from bookshelf.shelf.library_files import BookEntry, Library, Refusal, read_library

FIXTURES = Path(__file__).parents[2] / "fixtures" / "libraries"
TODAY = date(2024, 12, 31)


def fixture(name: str) -> Library:
    return read_library(FIXTURES / name, today=TODAY)


def library(folder: Path, content: str | bytes) -> Library:
    path = folder / "library.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_library(path, today=TODAY)


def entries(found: Library) -> dict[str, BookEntry]:
    """The entries by title; that there are no others, and no refusals, is checked."""
    answered = list(found)
    assert not [refusal for refusal in answered if isinstance(refusal, Refusal)]
    return {entry.book["title"]: entry for entry in answered if isinstance(entry, BookEntry)}


def only(found: Library) -> BookEntry:
    (entry,) = entries(found).values()
    return entry


def refusals(found: Library) -> list[Refusal]:
    return [refusal for refusal in found if isinstance(refusal, Refusal)]
