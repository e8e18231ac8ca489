"""newbook: every decision on adding, changing and removing a book."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec import UNSET
from support.spec import given

from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.message import Command
from bookshelf.shelf.book import (
    BOOK,
    AddBook,
    ChangeBook,
    RemoveBook,
    RemoveCover,
    RestoreBook,
    SetCover,
    Shelved,
    to_answer,
)
from bookshelf.shelf.events import (
    BookAdded,
    BookChanged,
    BookFinished,
    BookRemoved,
    BookRestored,
    CoverRemoved,
    CoverSet,
    ReadingFinished,
)
from bookshelf.shelf.field_types import ContributorBody, CoverBody
from bookshelf.shelf.fields import FIELD_TYPES, Book, BookChanges, BookFields, NewBook
from bookshelf.shelf.values import Contributor

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
    return ChangeBook(changes=BookChanges(**fields))


def test_a_new_book_comes_onto_the_shelf() -> None:
    given(BOOK).when(AddBook(book=DUNE, at=AT)).then(added)


def test_a_new_book_has_every_value_of_its_command() -> None:
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


def test_tags_are_recorded_once_in_their_order() -> None:
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
def test_a_change_records_the_fields_that_are_new_and_no_others(field: str, value: object) -> None:
    said = {**msgspec.structs.asdict(full), field: value}
    del said["added"], said["owner"]
    given(BOOK, full).when(change(**said)).then(BookChanged(**{field: value}))


def test_a_change_to_the_same_appends_nothing() -> None:
    said = msgspec.structs.asdict(full)
    del said["added"], said["owner"]
    given(BOOK, full).when(change(**said)).then()


def test_a_change_of_nothing_appends_nothing() -> None:
    given(BOOK, full).when(change()).then()


@pytest.mark.parametrize("field", ["published", "isbn", "pages", "language", "notes"])
def test_null_clears_a_field(field: str) -> None:
    given(BOOK, full).when(change(**{field: None})).then(BookChanged(**{field: None}))


@pytest.mark.parametrize("field", ["published", "isbn", "pages", "language", "notes", "tags"])
def test_clearing_an_empty_field_appends_nothing(field: str) -> None:
    given(BOOK, added).when(change(**{field: None})).then()


@pytest.mark.parametrize("tags", [None, ()])
def test_tags_are_cleared_with_null_or_with_none_at_all(tags: tuple[str, ...] | None) -> None:
    given(BOOK, full).when(change(tags=tags)).then(BookChanged(tags=()))


def test_changed_tags_are_recorded_once_and_a_new_order_is_a_change() -> None:
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


def test_a_command_of_another_aggregate_appends_nothing() -> None:
    given(BOOK, added).when(Command()).then()


def test_a_book_is_shown_whole() -> None:
    book = BOOK.fold(
        [full, BookChanged(pages=None, notes="lent"), ReadingFinished(reading=1, stars=4.0, review="Sand.")]
    )
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


def test_a_removed_book_keeps_its_fields_and_is_put_back_with_them() -> None:
    before = BOOK.fold([full, BookChanged(title="Arrakis")])
    book = BOOK.fold([removed], before)
    assert (book.here, book.removed, book.title) == (False, True, "Arrakis")
    given(BOOK, full, removed).when(RestoreBook()).then(BookRestored())
    assert BOOK.fold([BookRestored()], book) == before


def test_restoring_a_book_that_is_on_the_shelf_changes_nothing_and_an_unknown_one_is_not_found() -> None:
    given(BOOK, full).when(RestoreBook()).then()
    given(BOOK, full, removed, BookRestored()).when(RestoreBook()).then()
    given(BOOK).when(RestoreBook()).refused(NotFound)


def test_a_field_that_is_left_out_is_not_null() -> None:
    assert msgspec.json.encode(BookChanged(title="x", notes=None)) == b'{"title":"x","notes":null}'
    assert BookChanged(title="x").notes is UNSET


def added_book(**fields: object) -> BookAdded:
    [event] = BOOK.decide(BOOK.initial, AddBook(book=NewBook(**fields), at=AT))
    assert isinstance(event, BookAdded)
    return event


def test_the_author_follows_from_the_contributors() -> None:
    authors = (
        {"name": "Terry Pratchett"},
        {"name": "Neil Gaiman"},
        {"name": "Ingrid Krane-Müschen", "role": "translator"},
    )
    people = msgspec.convert(authors, tuple[ContributorBody, ...])
    event = added_book(title="Good Omens", contributors=people)
    assert event.author == "Terry Pratchett, Neil Gaiman"
    assert event.contributors[2] == Contributor("Ingrid Krane-Müschen", "translator")
    assert added_book(title="Beowulf", contributors=people[2:]).author == "Ingrid Krane-Müschen"
    assert added_book(title="Beowulf", contributors=()).author == ""


def test_a_book_needs_an_author_or_contributors_and_both_must_agree() -> None:
    given(BOOK).when(AddBook(book=NewBook(title="Dune"), at=AT)).refused(Invalid, field="author")
    both = NewBook(title="Dune", author="Somebody Else", contributors=(ContributorBody("Frank Herbert"),))
    given(BOOK).when(AddBook(book=both, at=AT)).refused(Invalid, field="author")


def test_an_author_alone_replaces_the_authors_and_keeps_the_other_contributors() -> None:
    people = (
        Contributor("Frank Herbert"),
        Contributor("Bill Ransom"),
        Contributor("Simon Vance", "narrator"),
    )
    book = BookAdded(title="Dune", author="Frank Herbert, Bill Ransom", added=AT, contributors=people)
    kept = (Contributor("F. Herbert"), people[2])
    given(BOOK, book).when(change(author="F. Herbert")).then(
        BookChanged(author="F. Herbert", contributors=kept)
    )


def test_ids_are_merged_by_scheme_and_null_removes_one() -> None:
    book = BookAdded(title="Dune", author="Frank Herbert", added=AT, ids={"goodreads": "1", "calibre": "2"})
    changes = change(ids={"goodreads": None, "asin": "B00"})
    given(BOOK, book).when(changes).then(BookChanged(ids={"calibre": "2", "asin": "B00"}))
    given(BOOK, book).when(change(ids=None)).then(BookChanged(ids={}))
    many = change(ids={f"scheme{number}": "1" for number in range(19)})
    given(BOOK, book).when(many).refused(Invalid, field="ids")


def test_a_time_or_date_of_the_future_is_refused() -> None:
    later = NewBook(title="Dune", author="Frank Herbert", added=AT + timedelta(days=2))
    given(BOOK).when(AddBook(book=later, at=AT)).refused(Invalid, field="added")
    lent = NewBook(title="Dune", author="Frank Herbert", lent_on="2999")
    given(BOOK).when(AddBook(book=lent, at=AT)).refused(Invalid, field="lent_on")


def test_a_cover_is_set_once_and_removed_once() -> None:
    cover = CoverBody("0" * 64, 600, 900, "#c08a3e")
    event = CoverSet(digest="0" * 64, width=600, height=900, colour="#c08a3e")
    given(BOOK, added).when(SetCover(cover=cover)).then(event)
    given(BOOK, added, event).when(SetCover(cover=cover)).then()
    given(BOOK, added, event).when(RemoveCover()).then(CoverRemoved())
    given(BOOK, added, event, CoverRemoved()).when(RemoveCover()).then()


def test_a_field_of_a_book_is_declared_in_two_places() -> None:
    """The other places take the fields from there: state, events, requests, answers."""
    declared = set(FIELD_TYPES)
    assert declared == {field.name for field in msgspec.structs.fields(BookFields)}
    for kind in (NewBook, BookChanges, BookAdded, BookChanged, Shelved, Book):
        assert declared <= {field.name for field in msgspec.structs.fields(kind)}, kind


def test_no_contributors_means_no_author_also_where_there_were_none() -> None:
    given(BOOK, full).when(change(contributors=())).then(BookChanged(author=""))
