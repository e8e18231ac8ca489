"""readbook: every decision on passages."""

from datetime import UTC, datetime

import pytest
from support.spec import given

from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.message import Command
from bookshelf.shelf import limits
from bookshelf.shelf.events import (
    BookAdded,
    BookRemoved,
    BookRestored,
    PassageAdded,
    PassageChanged,
    PassageRemoved,
)
from bookshelf.shelf.field_types import ProgressBody
from bookshelf.shelf.reading import READING
from bookshelf.shelf.reading_commands import AddPassage, ChangePassage, RemovePassage
from bookshelf.shelf.values import ReadingProgress

added = BookAdded(title="Dune", author="Frank Herbert", added=datetime(2026, 3, 1, tzinfo=UTC), pages=412)
litany = PassageAdded(passage=1, quote="Fear is the mind-killer.", progress=ReadingProgress(page=8, of=412))
removed = PassageRemoved(passage=1)


def test_a_passage_is_a_quote_a_note_or_both_with_an_optional_place() -> None:
    quote = AddPassage(quote="Fear is the mind-killer.", progress=ProgressBody(page=8))
    given(READING, added).when(quote).then(litany)
    given(READING, added, litany).when(AddPassage(note="Again!")).then(PassageAdded(passage=2, note="Again!"))
    given(READING, added, litany, removed).when(AddPassage(quote="x", note="y")).then(
        PassageAdded(passage=2, quote="x", note="y")
    )


@pytest.mark.parametrize("command", [AddPassage(), AddPassage(quote="", note="")])
def test_a_passage_without_quote_and_note_is_refused(command: AddPassage) -> None:
    given(READING, added).when(command).refused(Invalid, "or a note", field="quote")
    given(READING, added, litany).when(ChangePassage(passage=1, quote=None)).refused(Invalid, field="quote")


def test_a_place_beyond_the_book_is_refused() -> None:
    beyond = ProgressBody(page=413)
    given(READING, added).when(AddPassage(quote="x", progress=beyond)).refused(
        Invalid, "412", field="progress.page"
    )
    given(READING, added, litany).when(ChangePassage(passage=1, progress=beyond)).refused(
        Invalid, "412", field="progress.page"
    )


def test_a_change_of_a_passage_has_the_fields_that_differ() -> None:
    change = ChangePassage(passage=1, quote="Fear is the mind-killer.", note="The litany.", progress=None)
    given(READING, added, litany).when(change).then(
        PassageChanged(passage=1, note="The litany.", progress=None)
    )
    changed = PassageChanged(passage=1, note="The litany.", progress=None)
    given(READING, added, litany, changed).when(change).then()
    given(READING, added, litany).when(ChangePassage(passage=1)).then()


def test_a_passage_is_removed_once() -> None:
    given(READING, added, litany).when(RemovePassage(passage=1)).then(removed)


@pytest.mark.parametrize("command", [RemovePassage(passage=1), ChangePassage(passage=1, note="x")])
def test_a_passage_that_is_missing_or_removed_is_not_found(command: Command) -> None:
    given(READING, added).when(command).refused(NotFound, "no passage 1")
    given(READING, added, litany, removed).when(command).refused(NotFound, "no passage 1")


def test_a_removed_book_takes_no_passage_and_has_its_own_again_when_it_is_restored() -> None:
    change = ChangePassage(passage=1, note="x")
    given(READING, added, litany, BookRemoved()).when(change).refused(NotFound, "no such book")
    given(READING, added, litany, BookRemoved(), BookRestored()).when(change).then(
        PassageChanged(passage=1, note="x")
    )


def test_a_book_has_as_many_passages_as_the_limit_allows() -> None:
    passages = [PassageAdded(passage=number, note="x") for number in range(1, limits.PASSAGES_MAX + 1)]
    given(READING, added, *passages).when(AddPassage(note="y")).refused(Conflict, "up to 5000 passages")
