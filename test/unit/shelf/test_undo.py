"""Undo: the requests that take a change of a book, a list or a goal back, and the changes that block it."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.route_requests import RouteRequests

from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.message import Event
from bookshelf.http.problem import Problem
from bookshelf.shelf.events import (
    BookRated,
    GoalSet,
    ListCreated,
    ListEntryAdded,
    ListEntryMoved,
    ListEntryRemoved,
    ListRemoved,
    ListRenamed,
    ListReordered,
    ListRestored,
)
from bookshelf.shelf.inverse import UndoRequest
from bookshelf.shelf.undo import PastEvent, Undo, undo
from bookshelf.shelf.undo_book import BookState

BOOK = "/books/b"


class BookRequests(RouteRequests):
    """One book that requests change."""

    def __init__(self) -> None:
        super().__init__("b")
        self.send("POST", "/books", {"title": "Dune", "author": "Frank Herbert", "id": "b", "pages": 400})

    @property
    def changes(self) -> list[str]:
        return list(dict.fromkeys(past.change for past in self.past))

    @property
    def shown(self) -> Any:  # noqa: ANN401 (compared only)
        """The state as far as a reader can see it: without numbers that a repeated addition changes."""
        state = BookState()
        for past in self.past:
            state = state.after(past.event)
        if not state.book.here:
            return "removed"
        fields = msgspec.to_builtins(state.book)
        readings = fields.pop("readings", {})
        numbered = {n: one for n, one in readings.pop("by_number", {}).items() if not one.pop("removed", 0)}
        for one in numbered.values():
            one.pop("last_entry", None)
            entries = sorted(map(str, one.pop("entries", {}).values()))
            one["progress notes"] = entries
        passages = msgspec.to_builtins(state.passages).get("by_number", {}).values()
        return fields, readings, numbered, sorted(map(str, passages))


DATES = st.sampled_from([None, "2024", "2024-03", "2024-03-01"])
STARS = st.sampled_from([None, 0.25, 3, 4.5])
TEXTS = st.sampled_from([None, "x", "y"])
NAMES = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("ab"), "role": st.sampled_from(["author", "editor"])}),
    max_size=2,
    unique_by=str,
)
MAPS = st.dictionaries(st.sampled_from(["goodreads", "asin"]), TEXTS, max_size=2)
NUMBERS = st.integers(1, 3)


def requests(method: str, path: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    body = st.fixed_dictionaries({}, optional=fields)
    return st.tuples(st.just(method), st.builds(path.format, NUMBERS, NUMBERS), body)


def required(method: str, path: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(method), st.builds(path.format, NUMBERS), st.fixed_dictionaries(fields))


ON_READINGS = [
    requests("POST", BOOK + "/readings", started=DATES, format=TEXTS),
    requests(
        "POST",
        BOOK + "/readings",
        end=st.sampled_from(["finished", "abandoned"]),
        ended=DATES,
        stars=STARS,
        review=TEXTS,
        spoiler=st.booleans(),
    ),
    requests("PATCH", BOOK + "/readings/{0}", started=DATES, ended=DATES, format=TEXTS),
    requests("DELETE", BOOK + "/readings/{0}"),
    requests("POST", BOOK + "/readings/{0}/paused", on=DATES),
    requests("POST", BOOK + "/readings/{0}/resumed", on=DATES),
    requests("POST", BOOK + "/readings/{0}/abandoned", on=DATES, reason=TEXTS),
    requests("POST", BOOK + "/readings/{0}/finished", finished=DATES, stars=STARS, review=TEXTS),
    requests("POST", BOOK + "/readings/{0}/reopened"),
    requests("POST", BOOK + "/readings/{0}/restored"),
    required("POST", BOOK + "/readings/{0}/progress", progress=st.just({"page": 3}), on=DATES, note=TEXTS),
    requests("DELETE", BOOK + "/readings/{0}/progress/{1}"),
    requests("POST", BOOK + "/finished", rating=st.integers(1, 5), review=TEXTS),
]
ON_BOOKS = [
    requests("PATCH", BOOK, title=st.sampled_from("xy"), author=st.sampled_from(["A", "B"]), notes=TEXTS),
    requests("PATCH", BOOK, contributors=NAMES, ids=MAPS, extra=MAPS, tags=st.lists(st.sampled_from("ab"))),
    requests("DELETE", BOOK),
    st.just(("DELETE", BOOK + "?merged-into=c", None)),
    requests("POST", BOOK + "/restored"),
    required("PUT", BOOK + "/rating", stars=STARS),
    required("PUT", BOOK + "/rating", stars=STARS, reading=NUMBERS),
    required("PUT", BOOK + "/review", text=TEXTS, spoiler=st.booleans()),
    required(
        "PUT",
        BOOK + "/cover",
        digest=st.sampled_from(["a" * 64, "b" * 64]),
        width=st.just(3),
        height=st.just(4),
        colour=st.just("#ffffff"),
    ),
    requests("DELETE", BOOK + "/cover"),
    requests("POST", BOOK + "/passages", quote=TEXTS, note=TEXTS),
    requests("PATCH", BOOK + "/passages/{0}", quote=TEXTS, note=TEXTS),
    requests("DELETE", BOOK + "/passages/{0}"),
]
HISTORIES = st.lists(st.one_of(*ON_READINGS, *ON_BOOKS), min_size=1, max_size=14)


def carried_out(history: Iterable[tuple[str, str, Any]]) -> BookRequests:
    made = BookRequests()
    for method, path, body in history:
        try:
            made.send(method, path, body)
        except (Refused, Problem):
            continue
    return made


@settings(max_examples=150, deadline=None)
@given(HISTORIES, st.one_of(*ON_READINGS, *ON_BOOKS))
def test_undo_of_a_change_gives_the_former_state_and_undo_of_that_the_later_one(
    history: list[Any], last: tuple[str, str, Any]
) -> None:
    changed = carried_out(history)
    former = changed.shown
    try:
        change = changed.send(*last)
    except (Refused, Problem):
        return
    if not change:
        return
    later = changed.shown
    undone = changed.take_back(change)
    assert changed.shown == former
    for made in reversed(undone):
        changed.take_back(made)
    assert changed.shown == later


@settings(max_examples=150, deadline=None)
@given(HISTORIES, st.data())
def test_every_undo_that_is_offered_is_accepted(history: list[Any], data: st.DataObject) -> None:
    changed = carried_out(history)
    change = data.draw(st.sampled_from(changed.changes))
    answer = changed.undo(change)
    if answer.blocked_by:
        assert isinstance(answer.blocked_by, tuple)
        assert set(answer.blocked_by) <= set(changed.changes[changed.changes.index(change) + 1 :])
    else:
        changed.take_back(change)


def test_a_change_that_was_undone_and_redone_can_be_undone_again() -> None:
    changed = BookRequests()
    first = changed.send("PATCH", BOOK, {"title": "x"})
    [second] = changed.take_back(first)
    assert changed.undo(first) == Undo(blocked_by=(second,), undone=True)
    [third] = changed.take_back(second)
    assert changed.undo(second) == Undo(blocked_by=(third,), undone=True)
    former = UndoRequest("PATCH", BOOK, {"title": "Dune"}, '"7"')
    assert changed.undo(first) == Undo(undo=(former,))


def test_a_change_that_claims_to_undo_and_sets_another_value_blocks_as_any_other() -> None:
    changed = BookRequests()
    first = changed.send("PATCH", BOOK, {"title": "x"})
    second = changed.send("PATCH", BOOK, {"title": "y"})
    third = changed.send("PATCH", BOOK, {"title": "z"}, undoes=second)
    assert changed.undo(first) == Undo(blocked_by=(second, third))


@pytest.mark.parametrize(
    ("earlier", "later", "blocks"),
    [
        (("PATCH", BOOK, {"title": "x"}), ("PATCH", BOOK, {"notes": "n"}), False),
        (("PATCH", BOOK, {"title": "x"}), ("PATCH", BOOK, {"title": "y"}), True),
        (("PATCH", BOOK, {"title": "x"}), ("DELETE", BOOK, None), True),
        (("POST", BOOK + "/readings", None), ("POST", BOOK + "/readings/1/paused", None), True),
        (("POST", BOOK + "/readings", None), ("PUT", BOOK + "/rating", {"stars": 3}), True),
        (("POST", BOOK + "/readings", None), ("PATCH", BOOK, {"title": "y"}), False),
    ],
)
def test_a_later_change_of_the_same_fields_blocks(
    earlier: tuple[str, str, Any], later: tuple[str, str, Any], *, blocks: bool
) -> None:
    changed = BookRequests()
    first = changed.send(*earlier)
    second = changed.send(*later)
    assert changed.undo(first).blocked_by == ((second,) if blocks else msgspec.UNSET)


def test_a_reading_is_not_opened_while_another_one_is_open() -> None:
    changed = BookRequests()
    changed.send("POST", f"{BOOK}/readings", {"started": None})
    finished = changed.send("POST", f"{BOOK}/readings/1/finished", {"finished": "2024"})
    second = changed.send("POST", f"{BOOK}/readings", {"started": None})
    assert changed.undo(finished) == Undo(blocked_by=(second,))
    changed.send("POST", f"{BOOK}/readings/2/finished", {"finished": None})
    assert changed.undo(finished).blocked_by is msgspec.UNSET


def test_stars_of_the_book_itself_are_restored_also_once_it_has_a_reading() -> None:
    changed = BookRequests()
    changed.send("PUT", f"{BOOK}/rating", {"stars": 4})
    changed.send("POST", f"{BOOK}/readings", None)
    cleared = changed.send("PUT", f"{BOOK}/rating", {"stars": None})
    assert changed.past[-1].event == BookRated()
    former = changed.shown
    [restored] = changed.take_back(cleared)
    assert changed.past[-1] == PastEvent(BookRated(stars=4), restored, cleared)
    assert changed.shown != former


def of_list(*events: Event, change: int = -1) -> Undo:
    """Return the undo of the change of one of these events, each of which is a change."""
    past = [PastEvent(event, str(number)) for number, event in enumerate(events)]
    wanted = past[change].change
    return undo("l", past, {wanted}, 7)[wanted]


def asks(method: str, path: str, body: dict[str, Any] | None = None) -> Undo:
    return Undo(undo=(UndoRequest(method, path, body, '"7"'),))  # type: ignore[arg-type]


A, B, C = (
    ListEntryAdded(book="a", rank="a"),
    ListEntryAdded(book="b", rank="b"),
    ListEntryAdded(book="c", rank="c"),
)
CREATED = ListCreated(name="x")


@pytest.mark.parametrize(
    ("events", "answer"),
    [
        ((CREATED,), asks("DELETE", "/lists/l")),
        ((CREATED, ListRemoved()), asks("POST", "/lists/l/restored")),
        ((CREATED, ListRemoved(), ListRestored()), asks("DELETE", "/lists/l")),
        ((CREATED, ListRenamed(name="y")), asks("PATCH", "/lists/l", {"name": "x"})),
        ((A,), asks("DELETE", "/lists/l/books/a")),
        ((A, B, C, ListEntryRemoved(book="b")), asks("PUT", "/lists/l/books/b", {"after": "a"})),
        ((A, B, ListEntryRemoved(book="a")), asks("PUT", "/lists/l/books/a", {"after": None})),
        ((A, B, C, ListEntryMoved(book="a", rank="d")), asks("PUT", "/lists/l/books/a", {"after": None})),
    ],
)
def test_changes_of_a_list_are_taken_back_by_the_opposite(events: tuple[Event, ...], answer: Undo) -> None:
    assert of_list(*events) == answer


def test_an_entry_gets_its_former_place_also_after_the_list_was_reordered() -> None:
    events = (A, B, C, ListEntryRemoved(book="b"), ListReordered(ranks={"a": "m", "c": "n"}))
    assert of_list(*events, change=3) == asks("PUT", "/lists/l/books/b", {"after": "a"})


def test_only_the_same_entry_blocks_the_undo_of_an_entry() -> None:
    again = (A, ListEntryRemoved(book="a"), ListEntryAdded(book="a", rank="c"))
    assert of_list(*again, change=1) == Undo(blocked_by=("2",))
    assert of_list(A, B, ListEntryRemoved(book="b"), change=0) == asks("DELETE", "/lists/l/books/a")


def test_a_goal_gets_its_former_numbers() -> None:
    past = [PastEvent(GoalSet(year=2024, books=10), "0"), PastEvent(GoalSet(year=2024, pages=9), "1")]
    answers = undo("goal-2024", past, {"0", "1"}, 7)
    assert answers["1"] == asks("PUT", "/goals/2024", {"books": 10, "pages": None})
    assert answers["0"] == Undo(blocked_by=("1",))


def test_the_list_up_next_of_any_person_has_one_path() -> None:
    past = [PastEvent(A, "0")]
    assert undo("up-next:ann", past, {"0"}, 7)["0"] == asks("DELETE", "/lists/up-next/books/a")
