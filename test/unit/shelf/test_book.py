"""newbook: every decision on adding, changing and removing a book."""

from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import UNSET
from support.spec import given

from bookshelf.cqrs.errors import Conflict, NotFound
from bookshelf.cqrs.message import Command
from bookshelf.shelf.book import BOOK, AddBook, BookChanges, ChangeBook, NewBook, RemoveBook, to_answer
from bookshelf.shelf.events import BookAdded, BookChanged, BookFinished, BookRemoved
from bookshelf.shelf.fields import Book

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DUNE = NewBook(title="Dune", author="Frank Herbert")
added = BookAdded(title="Dune", author="Frank Herbert", added=AT)
full = BookAdded(
    title="Dune",
    author="Frank Herbert",
    added=AT,
    published="1965",
    isbn="0441013597",
    pages=412,
    language="en",
    tags=("sf", "desert"),
    notes="borrowed",
)
finished = BookFinished(rating=5)
removed = BookRemoved()


def change(**fields: object) -> ChangeBook:
    return ChangeBook(changes=BookChanges(**fields))  # type: ignore[arg-type]


def test_a_new_book_comes_onto_the_shelf() -> None:
    given(BOOK).when(AddBook(book=DUNE, at=AT)).then(added)


def test_a_new_book_has_everything_that_was_said_of_it() -> None:
    book = NewBook(
        title="Dune",
        author="Frank Herbert",
        published="1965",
        isbn="0441013597",
        pages=412,
        language="en",
        tags=("sf", "desert"),
        notes="borrowed",
    )
    given(BOOK).when(AddBook(book=book, at=AT)).then(full)


def test_tags_are_said_once_in_their_order() -> None:
    book = NewBook(title="Dune", author="Frank Herbert", tags=("sf", "desert", "sf"))
    given(BOOK).when(AddBook(book=book, at=AT)).then(msgspec.structs.replace(added, tags=("sf", "desert")))


@pytest.mark.parametrize("before", [(added,), (added, finished), (added, removed)])
def test_a_book_is_added_once(before: tuple[BookAdded, ...]) -> None:
    given(BOOK, *before).when(AddBook(book=DUNE, at=AT)).refused(Conflict, "on the shelf already")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "Dune Messiah"),
        ("author", "F. Herbert"),
        ("published", "1969"),
        ("isbn", "9780441013593"),
        ("pages", 500),
        ("language", "fr"),
        ("tags", ("classic",)),
        ("notes", "lent"),
    ],
)
def test_a_change_says_the_fields_that_are_new_and_no_others(field: str, value: object) -> None:
    said = {**msgspec.structs.asdict(full), field: value}
    del said["added"]
    given(BOOK, full).when(change(**said)).then(BookChanged(**{field: value}))  # type: ignore[arg-type]


def test_a_change_to_the_same_says_nothing() -> None:
    said = msgspec.structs.asdict(full)
    del said["added"]
    given(BOOK, full).when(change(**said)).then()


def test_a_change_of_nothing_says_nothing() -> None:
    given(BOOK, full).when(change()).then()


@pytest.mark.parametrize("field", ["published", "isbn", "pages", "language", "notes"])
def test_null_clears_a_field(field: str) -> None:
    given(BOOK, full).when(change(**{field: None})).then(BookChanged(**{field: None}))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["published", "isbn", "pages", "language", "notes", "tags"])
def test_clearing_what_is_clear_says_nothing(field: str) -> None:
    given(BOOK, added).when(change(**{field: None})).then()


@pytest.mark.parametrize("tags", [None, ()])
def test_tags_are_cleared_with_null_or_with_none_at_all(tags: tuple[str, ...] | None) -> None:
    given(BOOK, full).when(change(tags=tags)).then(BookChanged(tags=()))


def test_changed_tags_are_said_once_and_a_new_order_is_new() -> None:
    given(BOOK, full).when(change(tags=("sf", "desert", "sf"))).then()
    given(BOOK, full).when(change(tags=("desert", "sf"))).then(BookChanged(tags=("desert", "sf")))


def test_what_was_changed_before_is_what_a_change_is_compared_with() -> None:
    given(BOOK, full, BookChanged(title="Arrakis")).when(change(title="Arrakis")).then()
    given(BOOK, full, BookChanged(title="Arrakis")).when(change(title="Dune")).then(BookChanged(title="Dune"))


def test_a_book_that_is_finished_can_still_be_changed() -> None:
    given(BOOK, added, finished).when(change(title="Arrakis")).then(BookChanged(title="Arrakis"))


def test_a_book_is_taken_off_the_shelf() -> None:
    given(BOOK, added).when(RemoveBook()).then(removed)
    given(BOOK, added, finished).when(RemoveBook()).then(removed)


@pytest.mark.parametrize("command", [change(title="Arrakis"), change(), RemoveBook()])
def test_no_book_is_changed_or_removed_that_is_not_there(command: Command) -> None:
    given(BOOK).when(command).refused(NotFound)
    given(BOOK, added, removed).when(command).refused(NotFound)


def test_a_command_of_another_aggregate_says_nothing() -> None:
    given(BOOK, added).when(Command()).then()


def test_a_book_is_shown_whole() -> None:
    book = BOOK.fold([full, BookChanged(pages=None, notes="lent"), BookFinished(rating=4, review="Sand.")])
    assert to_answer("id-1", book) == Book(
        id="id-1",
        title="Dune",
        author="Frank Herbert",
        added=AT,
        published="1965",
        isbn="0441013597",
        language="en",
        tags=("sf", "desert"),
        notes="lent",
        state="finished",
        rating=4,
        review="Sand.",
    )


def test_a_removed_book_is_remembered_as_removed_and_nothing_else() -> None:
    book = BOOK.fold([full, finished, removed])
    assert (book.here, book.removed, book.title, book.done) == (False, True, "", False)


def test_a_field_that_was_not_said_is_not_null() -> None:
    assert msgspec.json.encode(BookChanged(title="x", notes=None)) == b'{"title":"x","notes":null}'
    assert BookChanged(title="x").notes is UNSET
