"""The project's own JSON files: what is written is read as the same book."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.library_files.shelf_books import ADDED, SHELF_BOOKS

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files.compare import Comparison, compare
from bookshelf.shelf.library_files.entry import Entry, FileReading, Refusal
from bookshelf.shelf.library_files.json_files import to_entry, to_object, write_json, write_jsonl
from bookshelf.shelf.library_files.shelf_index import ShelfBook

DUNE = ShelfBook(id="d", book=BookFields(title="Dune", author="Frank Herbert"), added=ADDED)


def read(text: str) -> Any:  # noqa: ANN401 (JSON)
    return msgspec.json.decode(text)


def entry_of(book: ShelfBook) -> Entry:
    (line,) = write_jsonl([book])
    entry = to_entry(1, read(line), (line,))
    assert isinstance(entry, Entry), entry
    return entry


@given(SHELF_BOOKS)
def test_a_line_read_again_is_equal_to_its_book(book: ShelfBook) -> None:
    entry = entry_of(book)
    assert (entry.id, entry.book) == (book.id, book.book)
    assert compare(entry, book, exact=True, take=lambda _field: True) == Comparison((), (), book)


def test_a_line_has_the_fields_of_an_answer_and_the_readings() -> None:
    reading = FileReading(number=3, ended="2024-03", stars=4.5, review="good")
    told = to_object(replace(DUNE, readings=(reading,), stars=4.5, review="good"))
    assert list(told)[:3] == ["type", "id", "title"]
    assert (told["state"], told["finished"], told["rating"], told["stars"]) == ("finished", None, 5, 4.5)
    assert told["readings"] == [{"ended": "2024-03", "end": "finished", "stars": 4.5, "review": "good"}]


def test_a_book_without_readings_is_a_line_of_the_first_release() -> None:
    assert list(to_object(DUNE)) == [
        "type", "id", "title", "author", "published", "isbn", "pages", "language", "tags", "notes",
        "state", "finished", "rating", "review", "added",
    ]  # fmt: skip


def test_the_array_has_the_same_objects() -> None:
    books = [DUNE, replace(DUNE, id="e")]
    assert read("".join(write_json(books))) == [read(line) for line in write_jsonl(books)]
    assert read("".join(write_json([]))) == []


def test_a_line_with_a_wrong_value_is_refused_with_the_field() -> None:
    line = to_object(DUNE) | {"pages": "many", "added": ADDED.isoformat()}
    refusal = to_entry(4, line, ("raw",))
    assert isinstance(refusal, Refusal)
    assert "pages" in str(refusal.reason)


def test_the_stars_of_the_book_itself_are_not_those_of_a_reading() -> None:
    assert entry_of(replace(DUNE, stars=3.0)).stars == 3.0
    reading = FileReading(number=1, ended="2024", stars=3.0)
    assert entry_of(replace(DUNE, stars=3.0, readings=(reading,))).stars is None


@given(st.integers(0, 3))
def test_numbers_of_readings_are_not_written(number: int) -> None:
    reading = FileReading(number=number, ended="2024")
    assert "number" not in to_object(replace(DUNE, readings=(reading,)))["readings"][0]
