"""Lists: every decision, and ranks that keep the order of their books through any sequence of moves."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec import UNSET
from support.spec import given

from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.message import Command, Event
from bookshelf.shelf import limits
from bookshelf.shelf.events import (
    ListCreated,
    ListEntryAdded,
    ListEntryMoved,
    ListEntryRemoved,
    ListRemoved,
    ListRenamed,
    ListReordered,
    ListRestored,
)
from bookshelf.shelf.lists import (
    LIST,
    CreateList,
    OrderedList,
    PutEntry,
    RemoveEntry,
    RemoveList,
    RenameList,
    RestoreList,
    list_key,
)
from bookshelf.shelf.ranks import even_ranks, rank_between

created = ListCreated(name="Holidays")
up_next = ListCreated(name="")
BOOKS = tuple("abcdefgh")


def after(state: OrderedList, command: Command) -> OrderedList:
    return LIST.fold(LIST.decide(state, command), state)


def test_a_list_is_created_once() -> None:
    given(LIST).when(CreateList(name="Holidays", owner="ann")).then(ListCreated(name="Holidays", owner="ann"))
    given(LIST, created).when(CreateList(name="Others")).refused(Conflict)


def test_a_list_is_renamed_removed_and_restored_with_its_entries() -> None:
    entry = ListEntryAdded(book="a", rank="V")
    given(LIST, created, entry).when(RenameList(name="Summer")).then(ListRenamed(name="Summer"))
    given(LIST, created, entry).when(RenameList(name="Holidays")).then()
    given(LIST, created, entry).when(RemoveList()).then(ListRemoved())
    given(LIST, created, entry, ListRemoved()).when(RestoreList()).then(ListRestored())
    given(LIST, created).when(RestoreList()).then()
    assert LIST.fold([created, entry, ListRemoved(), ListRestored()]) == LIST.fold([created, entry])


@pytest.mark.parametrize(
    "command", [RenameList(name="x"), RemoveList(), PutEntry(book="a"), RemoveEntry(book="a")]
)
@pytest.mark.parametrize("before", [(), (created, ListRemoved())])
def test_a_list_that_does_not_exist_or_is_removed_is_not_found(
    before: tuple[Event, ...], command: Command
) -> None:
    given(LIST, *before).when(command).refused(NotFound)


def test_up_next_is_created_by_its_first_entry_and_can_neither_be_renamed_nor_removed() -> None:
    put = PutEntry(book="a", up_next=True, owner="ann")
    given(LIST).when(put).then(ListCreated(name="", owner="ann"), ListEntryAdded(book="a", rank="V"))
    for command in (RenameList(name="Later"), RemoveList()):
        given(LIST, up_next).when(command).refused(Conflict, "neither be renamed nor removed")


def test_the_key_of_up_next_names_its_owner() -> None:
    assert list_key("up-next", None) == "up-next"
    assert list_key("up-next", "ann") == "up-next:ann"
    assert list_key("another", "ann") == "another"


def test_a_book_is_on_a_list_once_and_taken_off_once() -> None:
    entry = ListEntryAdded(book="a", rank="V")
    given(LIST, created, entry).when(PutEntry(book="a")).then()
    given(LIST, created, entry).when(RemoveEntry(book="a")).then(ListEntryRemoved(book="a"))
    given(LIST, created).when(RemoveEntry(book="a")).then()


def test_an_import_states_when_a_book_was_put_on_a_list() -> None:
    then = datetime(2020, 1, 2, tzinfo=UTC)
    given(LIST, created).when(PutEntry(book="a", added=then)).then(
        ListEntryAdded(book="a", rank=ANY_RANK, added=then)
    )


def test_a_book_cannot_follow_one_that_is_not_on_the_list() -> None:
    given(LIST, created).when(PutEntry(book="a", after="b")).refused(
        Invalid, "not on this list", field="after"
    )


def test_a_list_has_up_to_5000_books() -> None:
    full = ListReordered(ranks=even_ranks([str(number) for number in range(limits.LIST_BOOKS_MAX)]))
    given(LIST, created, full).when(PutEntry(book="one more")).refused(Conflict, "5000 books")
    given(LIST, created, full).when(PutEntry(book="1", after="7")).then(
        ListEntryMoved(book="1", rank=ANY_RANK)
    )


class AnyRank(str):
    """Equals every rank."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __hash__(self) -> int:
        return 0


ANY_RANK = AnyRank()
places = st.one_of(st.just(UNSET), st.none(), st.sampled_from(BOOKS))
commands = st.one_of(
    st.builds(PutEntry, book=st.sampled_from(BOOKS), after=places),
    st.builds(RemoveEntry, book=st.sampled_from(BOOKS)),
)


def placed(books: list[str], command: Any) -> list[str]:  # noqa: ANN401 (either command)
    """The oracle: the list as a list of Python."""
    others = [book for book in books if book != command.book]
    if isinstance(command, RemoveEntry):
        return others
    if command.after is None:
        return [command.book, *others]
    if command.after is UNSET or command.after == command.book:
        return books if command.book in books else [*others, command.book]
    if command.after not in books:
        return books
    place = others.index(command.after) + 1
    return [*others[:place], command.book, *others[place:]]


@for_all(st.lists(commands, max_size=60))
def test_any_sequence_of_moves_gives_the_order_of_a_plain_list(moves: list[Any]) -> None:
    state, books = LIST.fold([created]), list[str]()
    for command in moves:
        try:
            state = after(state, command)
        except Invalid:
            assert command.after not in books
        else:
            books = placed(books, command)
        assert list(state.ranks) == books
        assert sorted(set(state.ranks.values())) == list(state.ranks.values())


def test_ranks_that_would_become_too_long_are_all_made_new_in_the_same_order() -> None:
    state = after(after(LIST.fold([created]), PutEntry(book="a")), PutEntry(book="b"))
    kinds = set[type[Event]]()
    for number in range(600):
        events = LIST.decide(state, PutEntry(book=f"{number:03}", after="a"))
        kinds |= {type(event) for event in events}
        state = LIST.fold(events, state)
        assert max(map(len, state.ranks.values())) <= limits.RANK_MAX
    assert list(state.ranks) == ["a", *(f"{number:03}" for number in reversed(range(600))), "b"]
    assert ListReordered in kinds


@for_all(st.lists(st.integers(0, 10_000), max_size=120))
def test_a_rank_lies_between_its_neighbours_and_leaves_room(choices: list[int]) -> None:
    ranks: list[str] = []
    for choice in choices:
        place = choice % (len(ranks) + 1)
        low, high = ranks[place - 1] if place else None, ranks[place] if place < len(ranks) else None
        rank = rank_between(low, high)
        assert (low or "") < rank < (high or "~")
        assert not rank.endswith("0")
        ranks.insert(place, rank)


def test_a_list_that_only_grows_at_one_end_has_short_ranks() -> None:
    first, last = rank_between(None, None), rank_between(None, None)
    for _ in range(limits.LIST_BOOKS_MAX):
        first, last = rank_between(None, first), rank_between(last, None)
    assert max(len(first), len(last)) <= limits.RANK_MAX
