import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.library_files.files import TODAY, entries, fixture, library, only
from unit.library_files.shelf_books import ADDED, SHELF_BOOKS, words

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files import Entry, Options, read_library, write_csv, write_json, write_jsonl
from bookshelf.shelf.library_files.compare import Comparison, compare
from bookshelf.shelf.library_files.csv_books import row_to_entry
from bookshelf.shelf.library_files.entry import FileReading, Line, Refusal
from bookshelf.shelf.library_files.formats import guarded, join_tags, split_tags, unguarded
from bookshelf.shelf.library_files.shelf_index import ShelfBook
from bookshelf.shelf.values import Contributor, SeriesEntry

SHELVES = st.lists(SHELF_BOOKS, min_size=1, max_size=2, unique_by=lambda book: book.id)


def tricky(**fields: object) -> ShelfBook:
    return ShelfBook(id="a-1", book=BookFields(**{"title": "x", "author": "y", **fields}), added=ADDED)  # type: ignore[arg-type]


TRICKY = [
    tricky(title="'=1", author="''@a", notes="\n=1\t"),
    replace(tricky(title="2008.0", author="1", published="-720"), review="\tx"),
    tricky(title=" = ", author='"', tags=("a,b", 'c"d', " e ", "f;g", "-h")),
    tricky(ids={"my-own": "a | b\\"}, extra={"a: | b": "\n|", "c": "d; e, f"}),
    tricky(author="a | b", contributors=(Contributor("a | b", sort="|"), Contributor("c", "own; role"))),
    tricky(series=(SeriesEntry("A, B", "2.5"), SeriesEntry('"C"'))),
]


def through_a_file(name: str, text: Iterable[str]) -> list[Line]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes("".join(text).encode())
        return list(read_library(path, Options(today=TODAY)))


def in_cells(book: ShelfBook) -> ShelfBook:
    """Return a book without what CSV leaves out."""
    kept = ("number", "started", "ended", "end", "paused", "stars")
    readings = tuple(FileReading(**{name: getattr(each, name) for name in kept}) for each in book.readings)
    return replace(book, readings=readings, passages=(), cover=None)


@pytest.mark.parametrize(
    ("name", "write", "kept"),
    [
        ("shelf.csv", write_csv, in_cells),
        ("shelf.jsonl", write_jsonl, lambda book: book),
        ("shelf.json", write_json, lambda book: book),
    ],
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(shelf=SHELVES)
@example(shelf=TRICKY)
def test_a_shelf_written_and_read_is_the_same_shelf(
    name: str,
    write: Callable[[Iterable[ShelfBook]], Iterator[str]],
    kept: Callable[[ShelfBook], ShelfBook],
    shelf: list[ShelfBook],
) -> None:
    read = through_a_file(name, write(shelf))
    assert len(read) == len(shelf)
    for entry, book in zip(read, shelf, strict=True):
        assert isinstance(entry, Entry), entry
        assert (entry.id, entry.book, entry.warnings) == (book.id, book.book, ())
        assert entry.added_at(ADDED) == book.added
        nothing = Comparison((), (), kept(book))
        assert compare(entry, kept(book), exact=True, take=lambda _field: True) == nothing


def test_a_reading_is_a_range_with_its_end_and_stars() -> None:
    readings = (
        FileReading(started="2023-01-02", ended="2023-02-03", stars=4.5),
        FileReading(ended="2024", end="abandoned"),
        FileReading(started="2024-05", end="open", paused=True),
    )
    _, line = write_csv([replace(tricky(), readings=readings)])
    assert (
        next(csv.reader([line]))[-1]
        == "2023-01-02..2023-02-03 finished 4.5; ..2024 abandoned; 2024-05.. paused"
    )


def test_a_cell_that_a_person_has_made_wrong_is_named() -> None:
    header = ("id", "title", "author", "added", "pages", "readings")
    for pages, readings, fault in (
        ("many", "", "pages"),
        ("", "in spring", "'in spring' is no reading such as"),
    ):
        refusal = row_to_entry(2, header, ("a", "x", "y", ADDED.isoformat(), pages, readings))
        assert isinstance(refusal, Refusal)
        assert fault in str(refusal.reason)


def test_an_empty_shelf_is_written_and_read(tmp_path: Path) -> None:
    assert list(library(tmp_path, "".join(write_csv([])))) == []


@given(words(40, "\n\t"))
def test_no_cell_starts_a_formula_and_every_guard_comes_off(cell: str) -> None:
    assert not guarded(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert unguarded(guarded(cell)) == cell


def test_an_apostrophe_of_the_titles_own_stays() -> None:
    assert unguarded("'Tis Pity") == guarded("'Tis Pity") == "'Tis Pity"


@given(st.lists(words(20)))
def test_tags_in_one_cell_come_apart_as_they_were(tags: list[str]) -> None:
    assert split_tags(join_tags(tags)) == tags


def test_tags_are_plain_where_they_can_be() -> None:
    assert join_tags(["sea stories", "a, b"]) == 'sea stories, "a, b"'


def test_an_export_has_a_header_and_a_line_a_book() -> None:
    header, line = write_csv([tricky(title="Emma", author="Jane Austen", pages=474)])
    assert header.startswith(
        "title,author,published,isbn,pages,language,tags,notes,state,finished,rating,review,added,id,stars,"
    )
    assert header.endswith(",readings\r\n")
    assert next(csv.reader([line]))[:5] == ["Emma", "Jane Austen", "", "", "474"]


def test_an_export_once_through_a_german_spreadsheet_is_still_ours(tmp_path: Path) -> None:
    content = "title;author;tags;state;finished;added\r\nEmma;Jane Austen;a, b;finished;01.03.2024;x\r\n"
    found = library(tmp_path, content.encode("cp1252"))
    assert found.form == "Bookshelf"
    assert (only(found).finished_on, only(found).book["tags"]) == (date(2024, 3, 1), ["a", "b"])


def test_our_own_csv_is_recognised_and_its_guards_come_off() -> None:
    found = entries(fixture("bookshelf.csv"))
    sums = found["=1+1 and Other Sums"]
    assert sums.book["tags"] == ["maths", "one, two"]
    assert sums.review == "-- sums\nthat run"
    assert not found["'Tis Pity She's a Whore"].finished
    assert fixture("bookshelf.csv").remarks == ()
