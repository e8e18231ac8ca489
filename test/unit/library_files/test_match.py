"""Matching lines with books, and readings with readings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.library_files.shelf_books import ADDED

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files.entry import FileReading
from bookshelf.shelf.library_files.match import Match, keys_of, match_book, match_readings
from bookshelf.shelf.library_files.shelf_index import ShelfBook, ShelfIndex
from bookshelf.shelf.values import Contributor

DUNE = BookFields(title="Dune", author="Frank Herbert")


def index_of(**books: BookFields) -> ShelfIndex:
    index = ShelfIndex()
    for name, book in books.items():
        index.put(ShelfBook(id=name, book=book, added=ADDED, removed=name.startswith("removed")))
    return index


def match(index: ShelfIndex, line: BookFields, book_id: str = "", *, removed: bool = False) -> Match:
    with index:
        candidates = index.candidates(removed=removed)
        return match_book(keys_of(line, book_id), candidates, index.met)


@pytest.mark.parametrize(
    "line",
    [
        BookFields(title="DUNE ", author="Herbert, Frank"),
        BookFields(title="Dune!", contributors=(Contributor("Frank Herbert", sort="Herbert, Frank"),)),
        BookFields(title="Dune", author="Frank  Herbert", published="1990", isbn="0441013597"),
        BookFields(title="Der Wüstenplanet", author="F. H.", ids={"goodreads": "234225"}),
        BookFields(title="Der Wüstenplanet", author="F. H.", isbn="978-0-441-01359-3"),
    ],
    ids=["name turned round", "contributors", "filled in", "id", "isbn"],
)
def test_a_line_is_matched_by_what_readers_do_not_correct(line: BookFields) -> None:
    known = BookFields(title="Dune", author="Frank Herbert", ids={"goodreads": "234225"}, published="1965")
    printed = BookFields(title="Wüste", author="F. Herbert", isbn="0441013597")
    books = {"known": printed} if line.title.startswith("Der") and line.isbn else {"known": known}
    assert match(index_of(**books), line) == Match("known")


def test_an_id_precedes_an_isbn_and_an_isbn_precedes_a_title() -> None:
    books = {
        "title": DUNE,
        "isbn": BookFields(title="Other", author="x", isbn="9780441013593"),
        "id": BookFields(title="Third", author="x", ids={"storygraph": "s"}),
    }
    line = BookFields(title="Dune", author="Frank Herbert", isbn="0441013597", ids={"storygraph": "s"})
    assert match(index_of(**books), line).book == "id"
    assert match(index_of(**books), replace(line, ids={})).book == "isbn"
    assert match(index_of(**books), line, "title").book == "title"


@pytest.mark.parametrize(
    ("shelf", "line"),
    [
        (BookFields(title="Dune", author="x", isbn="9780441013593"), "9780593099322"),
        (BookFields(title="Dune", author="Somebody Else"), None),
        (BookFields(title="Dune", author="x", ids={"goodreads": "1"}), None),
    ],
    ids=["another ISBN", "another author", "another id of the program"],
)
def test_a_near_match_is_named_and_is_no_match(shelf: BookFields, line: str | None) -> None:
    book = BookFields(title="Dune", author="x", isbn=line, ids={"goodreads": "2"})
    assert match(index_of(shelf=shelf), book) == Match(None, "shelf")


def test_of_several_books_that_fit_the_year_decides() -> None:
    books = {year: BookFields(title="Poems", author="Yeats", published=year) for year in ("1895", "1899")}
    line = BookFields(title="Poems", author="Yeats", published="May 1899")
    assert match(index_of(**books), line).book == "1899"
    assert match(index_of(**books), BookFields(title="Poems", author="Yeats")).book is None


def test_the_first_of_several_authors_is_enough() -> None:
    shelf = BookFields(title="Good Omens", author="Terry Pratchett, Neil Gaiman")
    line = BookFields(title="Good Omens", contributors=(Contributor("Terry Pratchett"),))
    assert match(index_of(shelf=shelf), line).book == "shelf"


def test_lines_of_one_file_with_ids_of_their_own_are_books_of_their_own() -> None:
    index = index_of(first=BookFields(title="Poems", author="Yeats", isbn="9780441013593"))
    index.meet("first", 1895)
    line = BookFields(title="Poems", author="Yeats", isbn="9780441013593")
    assert match(index, line, "second").book is None


def test_lines_of_one_file_with_other_years_are_other_books() -> None:
    index = index_of(first=BookFields(title="Poems", author="Yeats", published="1895"))
    index.meet("first", 1895)
    assert match(index, BookFields(title="Poems", author="Yeats", published="1899")).book is None


def test_a_removed_book_is_found_among_the_removed_ones_and_by_its_own_id() -> None:
    assert match(index_of(removed=DUNE), DUNE).book is None
    assert match(index_of(removed=DUNE), DUNE, removed=True).book == "removed"
    assert match(index_of(removed=DUNE, shelf=DUNE), DUNE, "removed").book == "removed"


def test_a_book_that_was_dropped_leaves_no_ids_to_the_next_one() -> None:
    index = index_of(first=BookFields(title="Dune", ids={"goodreads": "1"}))
    index.drop("first")
    index.add(ShelfBook(id="second", book=DUNE, added=ADDED), keys_of(DUNE, "second"))
    assert match(index, BookFields(title="Emma", ids={"goodreads": "1"})) == Match(None)


def reading(started: str | None = None, ended: str | None = None, end: str = "finished") -> FileReading:
    return FileReading(started=started, ended=ended, end=end)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "shelf", "expected"),
    [
        ([reading(ended="2024")], [reading(ended="2024-03"), reading(ended="2024")], [1]),
        ([reading(ended="2024-03-01")], [reading(ended="2023"), reading(ended="2024")], [1]),
        ([reading("2024-01-01", "2024-02-02")], [reading("2024-01-01", "2024-03-03")], [0]),
        ([reading("2024-01-01", "2024-02-02")], [reading("2024-01-01", None, "open")], [0]),
        ([reading(ended="2023")], [reading("2024-01-01", None, "open")], [None]),
        ([reading(ended="2023"), reading(ended="2024")], [reading(ended="2024")], [None, 0]),
        ([reading()], [reading(ended="2024")], [0]),
        ([reading(), reading(ended="2024")], [reading(), reading(ended="2024")], [0, 1]),
        ([reading(), reading()], [reading()], [0, None]),
        ([reading(), reading(ended="2024")], [reading(ended="2024-03"), reading("2023")], [1, 0]),
    ],
)
def test_readings_match_by_end_then_start_then_sequence(
    file: list[FileReading], shelf: list[FileReading], expected: list[int | None]
) -> None:
    numbered = [replace(other, number=number) for number, other in enumerate(shelf)]
    assert [other and other.number for _, other in match_readings(file, numbered)] == [
        None if place is None else place for place in expected
    ]


DATES = st.none() | st.sampled_from(["2023", "2024", "2024-03", "2024-03-01", "2024-03-02"])
READINGS = st.lists(
    st.builds(reading, DATES, DATES, st.sampled_from(["finished", "abandoned", "open"])), max_size=5
)


@given(READINGS)
def test_readings_match_themselves(readings: list[FileReading]) -> None:
    pairs = match_readings(readings, readings)
    assert [file for file, _ in pairs] == readings
    assert [other for _, other in pairs] == readings


@given(READINGS, READINGS)
def test_a_reading_is_matched_once(file: list[FileReading], shelf: list[FileReading]) -> None:
    numbered = [replace(other, number=number) for number, other in enumerate(shelf)]
    pairs = match_readings(file, numbered)
    numbers = [other.number for _, other in pairs if other is not None]
    assert len(set(numbers)) == len(numbers)
    assert [reading for reading, _ in pairs] == file
