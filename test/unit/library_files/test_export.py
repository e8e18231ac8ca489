import csv
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.library_files.files import TODAY, ShortEntry, entries, fixture, library, only

from bookshelf.shelf.library_files import Entry, Options, read_library, write_csv, write_jsonl
from bookshelf.shelf.library_files.formats import guarded, join_tags, split_tags, unguarded

Shelf = list[dict[str, object]]
Some = st.SearchStrategy[Any]


def filled(longest: int, also: str = "") -> st.SearchStrategy[str]:
    """Text as the shelf holds it: something in it, and no controls but those named."""
    letters = st.characters(exclude_categories=("Cc", "Cs"))
    awkward = st.sampled_from("'=+-@,;\"1 é" + also)
    return st.text(awkward | letters, min_size=1, max_size=longest).filter(lambda text: bool(text.strip()))


OPINION: dict[str, Some] = {
    "finished": st.none() | st.dates(min_value=date(1900, 1, 1), max_value=TODAY).map(str),
    "rating": st.none() | st.integers(1, 5),
    "review": st.none() | filled(80, "\n\t"),
}
BOOK: dict[str, Some] = {
    "title": filled(40),
    "author": filled(40),
    "published": st.none() | filled(50),
    "isbn": st.none() | st.from_regex(r"[0-9X]{10}|[0-9X]{13}", fullmatch=True),
    "pages": st.none() | st.integers(1, 100_000),
    "language": st.none() | filled(35),
    "tags": st.lists(filled(30), max_size=4, unique=True),
    "notes": st.none() | filled(80, "\n\t"),
    "added": st.just("2024-03-02T10:00:00Z"),
    "id": st.uuids().map(str),
}
UNREAD = st.fixed_dictionaries({**BOOK, "state": st.just("unread")})
FINISHED = st.fixed_dictionaries({**BOOK, **OPINION, "state": st.just("finished")})
SHELVES = st.lists(UNREAD | FINISHED, min_size=1, max_size=3)
TRICKY: Shelf = [
    {"title": "'=1", "author": "''@a", "notes": "\n=1\t", "state": "unread"},
    {"title": "2008.0", "author": "1", "published": "-720", "review": "\tx", "state": "finished"},
    {"title": " = ", "author": '"', "tags": ["a,b", 'c"d', " e ", "f;g", "-h"], "state": "unread"},
]


def as_answered(entry: ShortEntry) -> dict[str, object]:
    said = {"finished": str(entry.finished_on) if entry.finished_on else None}
    opinion = {**said, "rating": entry.rating, "review": entry.review} if entry.finished else {}
    return {**entry.book, **opinion, "state": "finished" if entry.finished else "unread"}


def known(book: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in book.items() if value and name not in {"id", "added"}}


@settings(max_examples=40)
@given(shelf=SHELVES)
@example(shelf=TRICKY)
def test_a_shelf_written_and_read_is_the_same_shelf(shelf: Shelf) -> None:
    for write in (write_csv, write_jsonl):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "shelf"
            path.write_bytes("".join(write(shelf)).encode())
            found = [
                ShortEntry(entry)
                for entry in read_library(path, Options(today=TODAY))
                if isinstance(entry, Entry)
            ]
        assert [known(as_answered(entry)) for entry in found] == [known(book) for book in shelf]
        assert not [note for entry in found for note in entry.notes]


def test_an_empty_shelf_is_written_and_read(tmp_path: Path) -> None:
    assert list(library(tmp_path, "".join(write_csv([])))) == []


@given(filled(40, "\n\t"))
def test_no_cell_starts_a_formula_and_every_guard_comes_off(cell: str) -> None:
    assert not guarded(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert unguarded(guarded(cell)) == cell


def test_an_apostrophe_of_the_titles_own_stays() -> None:
    assert unguarded("'Tis Pity") == guarded("'Tis Pity") == "'Tis Pity"


@given(st.lists(filled(20)))
def test_tags_in_one_cell_come_apart_as_they_were(tags: list[str]) -> None:
    assert split_tags(join_tags(tags)) == tags


def test_tags_are_plain_where_they_can_be() -> None:
    assert join_tags(["sea stories", "a, b"]) == 'sea stories, "a, b"'


def test_an_export_has_a_header_and_a_line_a_book() -> None:
    header, line = write_csv(
        [{"title": "Emma", "author": "Jane Austen", "tags": [], "pages": 474, "state": "unread"}]
    )
    assert header == (
        "title,author,published,isbn,pages,language,tags,notes,state,finished,rating,review,added,id\r\n"
    )
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
