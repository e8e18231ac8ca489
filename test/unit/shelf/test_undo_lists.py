"""Undo of changes of lists by the routes of the service, for any history; and its cost for long ones."""

from collections.abc import Callable, Iterable, Sequence
from cProfile import Profile
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.route_requests import RouteRequests

from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.message import Event
from bookshelf.shelf.events import (
    BookAdded,
    ListCreated,
    ListEntryAdded,
    ListEntryMoved,
    ListEntryRemoved,
    ReadingFinished,
    ReadingProgressed,
    ReadingStarted,
)
from bookshelf.shelf.lists import LIST, UP_NEXT
from bookshelf.shelf.ranks import rank_between
from bookshelf.shelf.undo import PastEvent, undo
from bookshelf.shelf.values import ReadingProgress


class ListRequests(RouteRequests):
    """One list that requests change."""

    def __init__(self, list_id: str) -> None:
        super().__init__(list_id)
        if list_id != UP_NEXT:
            self.send("POST", "/lists", {"name": "Holidays"})

    @property
    def shown(self) -> Any:  # noqa: ANN401 (compared only)
        """The state as far as a reader can see it: without the ranks, which only order the books."""
        state = LIST.fold(past.event for past in self.past)
        return "removed" if state.removed else (state.name, list(state.ranks))


IDS = st.sampled_from(["l", UP_NEXT])
BOOKS = st.sampled_from("abcde")


def list_requests(list_id: str) -> st.SearchStrategy[tuple[str, str, Any]]:
    path = f"/lists/{list_id}"
    entry = st.builds(f"{path}/books/{{}}".format, BOOKS)
    places = st.fixed_dictionaries({}, optional={"after": st.none() | BOOKS})
    return st.one_of(
        st.tuples(st.just("PUT"), entry, places),
        st.tuples(st.just("DELETE"), entry, st.none()),
        st.tuples(st.just("PATCH"), st.just(path), st.fixed_dictionaries({"name": st.sampled_from("xy")})),
        st.just(("DELETE", path, None)),
        st.just(("POST", f"{path}/restored", None)),
    )


def carried_out(list_id: str, history: Iterable[tuple[str, str, Any]]) -> ListRequests:
    made = ListRequests(list_id)
    for method, path, body in history:
        try:
            made.send(method, path, body)
        except Refused:
            continue
    return made


@settings(max_examples=100, deadline=None)
@given(IDS, st.data())
def test_undo_of_a_change_of_a_list_gives_the_former_state_and_undo_of_that_the_later_one(
    list_id: str, data: st.DataObject
) -> None:
    changed = carried_out(list_id, data.draw(st.lists(list_requests(list_id), max_size=12)))
    former = changed.shown
    try:
        change = changed.send(*data.draw(list_requests(list_id)))
    except Refused:
        return
    if not change:
        return
    later = changed.shown
    undone = changed.take_back(change)
    assert changed.shown == former
    for made in reversed(undone):
        changed.take_back(made)
    assert changed.shown == later


@settings(max_examples=100, deadline=None)
@given(IDS, st.data())
def test_every_undo_of_a_list_that_is_offered_is_accepted(list_id: str, data: st.DataObject) -> None:
    changed = carried_out(list_id, data.draw(st.lists(list_requests(list_id), min_size=1, max_size=12)))
    for past in changed.past[:]:
        if undo(list_id, changed.past, {past.change}, 7)[past.change].undo is not msgspec.UNSET:
            changed.take_back(past.change)
            return


def test_the_first_entry_of_up_next_is_taken_back_although_that_list_stays() -> None:
    changed = ListRequests(UP_NEXT)
    first = changed.send("PUT", "/lists/up-next/books/a")
    changed.send("PUT", "/lists/up-next/books/b")
    changed.take_back(first)
    assert changed.shown == ("", ["b"])


def entries(count: int) -> list[Event]:
    rank, made = None, list[Event]()
    for number in range(count):
        rank = rank_between(rank, None)
        made.append(ListEntryAdded(book=f"b{number}", rank=rank))
    return [ListCreated(name="x"), *made]


def moves(count: int) -> list[Event]:
    return [*entries(count), *(ListEntryMoved(book=f"b{n}", rank=f"{n:05}z") for n in range(count))]


def removals(count: int) -> list[Event]:
    return [*entries(count), *(ListEntryRemoved(book=f"b{n}") for n in range(count))]


ADDED = BookAdded(title="t", author="a", added=datetime(2026, 1, 1, tzinfo=UTC))


def progress(count: int) -> list[Event]:
    noted = (ReadingProgressed(reading=1, entry=n, progress=ReadingProgress(page=n)) for n in range(count))
    return [ADDED, ReadingStarted(reading=1), *noted]


def readings(count: int) -> list[Event]:
    made = list[Event]()
    for number in range(1, count + 1):
        made += [ReadingStarted(reading=number), ReadingFinished(reading=number, finished="2024")]
    return [ADDED, *made]


def calls(events: Sequence[Event]) -> int:
    """Return the number of calls that computing the undos of every tenth change needs."""
    past = [PastEvent(event, str(number)) for number, event in enumerate(events)]
    wanted = {each.change for each in past[1::10]}
    with Profile() as profile:
        found = undo("s", past, wanted, 7)
    assert found.keys() == wanted
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize("history", [entries, moves, removals, progress, readings])
def test_twice_as_many_events_need_about_twice_as_many_calls(
    history: Callable[[int], list[Event]],
) -> None:
    assert calls(history(400)) < 2.5 * calls(history(200))
