"""Pairs of books whose merge is shown in /design, with the fields taken and the lists."""

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files.entry import FilePassage, FileReading, ProgressNote
from bookshelf.shelf.library_files.shelf_index import ShelfBook
from bookshelf.shelf.values import ReadingProgress, SeriesEntry

_ADDED = datetime(2024, 5, 2, tzinfo=UTC)
Pair = tuple[ShelfBook, ShelfBook, tuple[str, ...], tuple[str, ...]]


_KEPT = ShelfBook(
    id="left-hand",
    book=BookFields(
        title="The Left Hand of Darkness", author="Ursula K. Le Guin", pages=304, tags=("winter",)
    ),
    added=_ADDED,
    readings=(FileReading(number=1, end="finished", ended="2011"),),
    version="bookshelf/0@1",
)
_OTHER = ShelfBook(
    id="left-hand-2",
    book=BookFields(
        title="Left Hand of Darkness, The",
        author="Le Guin, Ursula K.",
        pages=286,
        published="1969",
        tags=("Winter", "science fiction"),
        series=(SeriesEntry("Hainish Cycle", "4"),),
        notes="Bought in Lisbon.",
    ),
    added=_ADDED,
    readings=(FileReading(number=1, end="finished", started="2025-03-08", ended="2025-03-14", stars=4.5),),
    passages=(FilePassage(quote="Light is the left hand of darkness."),),
    version="bookshelf/0@2",
)


def example_pairs() -> Mapping[str, Pair]:
    """Return pairs by the name of their state: the kept book, the other one, what is taken, the lists."""
    words = "Donaudampfschifffahrtsgesellschaftskapit\u00e4n " * 25
    long = BookFields(title=words[:1000], author=words[:900], notes=words * 20, description=words * 5)
    noted = FileReading(entries=(ProgressNote(ReadingProgress(page=12)),), ended="2019")
    opened = replace(_KEPT, readings=(FileReading(number=1, end="open", started="2026-01-20"),))
    return {
        "usual": (_KEPT, _OTHER, ("pages",), ("Holidays", "Up next")),
        "long": (
            replace(_KEPT, book=long),
            replace(_OTHER, book=replace(long, title=words[:999] + "!")),
            (),
            (),
        ),
        "equal": (_KEPT, replace(_KEPT, id="twin"), (), ()),
        "being read": (opened, replace(_OTHER, readings=(noted,)), (), ()),
    }
