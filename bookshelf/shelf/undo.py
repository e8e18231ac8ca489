"""Undo: the requests that take a change back, computed from the events of its book, list or goal.

A later change blocks the undo if it changed what the undo would change, unless it was taken back itself.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bookshelf.cqrs.message import Event
from bookshelf.shelf import events as on_shelf
from bookshelf.shelf.inverse import Inverse, UndoRequest
from bookshelf.shelf.undo_book import BookPast
from bookshelf.shelf.undo_list import ListPast

_OF_LISTS = (
    on_shelf.ListCreated,
    on_shelf.ListRenamed,
    on_shelf.ListRemoved,
    on_shelf.ListRestored,
    on_shelf.ListEntryAdded,
    on_shelf.ListEntryMoved,
    on_shelf.ListEntryRemoved,
    on_shelf.ListReordered,
)


class PastEvent(msgspec.Struct, frozen=True):
    """An event, the id of its change, and the id of the change that this one takes back, if any."""

    event: Event
    change: str
    undoes: str = ""


class Undo(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a change is taken back: by requests, in this order; or the later changes that prevent it."""

    undo: Annotated[tuple[UndoRequest, ...], Meta(description="what to send, in order")] | UnsetType = UNSET
    blocked_by: (
        Annotated[tuple[str, ...], Meta(description="the later changes that prevent it")] | UnsetType
    ) = UNSET


class GoalPast:
    """Inverts the changes of the goal for one year, one after the other."""

    def __init__(self) -> None:
        self._goal = on_shelf.GoalSet(year=0)

    def invert(self, events: Iterable[Event]) -> Inverse:
        """Return the inverse of the next change."""
        inverse, before = Inverse(), self._goal
        for event in events:
            if isinstance(event, on_shelf.GoalSet):
                self._goal = event
        former = (before.books, before.pages)
        inverse.changed(("goal",), former, (self._goal.books, self._goal.pages))
        inverse.ask("PUT", f"/goals/{self._goal.year}", {"books": before.books, "pages": before.pages})
        return inverse

    def finish(self, inverse: Inverse) -> None:
        """Do nothing: the inverse of a goal is complete."""


def undo(subject: str, events: Sequence[PastEvent], wanted: Collection[str], version: int) -> dict[str, Undo]:
    """Return for each wanted change how it is taken back; `version` is that of the aggregate.

    `events` are all events of one book, list or goal, in the order of the log.
    """
    changes = [list(of) for _, of in groupby(events, key=lambda past: past.change)]
    past = _past_of(subject, events[0].event)
    inverses = [past.invert(each.event for each in change) for change in changes]
    names = [change[0].change for change in changes]
    pairs = _pairs(names, [change[0].undoes for change in changes], inverses)
    found: dict[str, Undo] = {}
    for number, name in enumerate(names):
        if name in wanted:
            own = inverses[number]
            past.finish(own)
            later = (n for n in range(number + 1, len(names)) if pairs.get(n, -1) <= number)
            blocking = tuple(names[n] for n in later if own.is_blocked_by(inverses[n]))
            found[name] = Undo(blocked_by=blocking) if blocking else Undo(undo=_conditional(own, version))
    return found


def _past_of(subject: str, first: Event) -> BookPast | ListPast | GoalPast:
    if isinstance(first, on_shelf.GoalSet):
        return GoalPast()
    return ListPast(subject) if isinstance(first, _OF_LISTS) else BookPast(subject)


def _pairs(names: Sequence[str], undoes: Sequence[str], inverses: Sequence[Inverse]) -> dict[int, int]:
    """Return the changes that took each other back, by number: of each its partner, or the first of these."""
    numbers = {name: number for number, name in enumerate(names)}
    pairs: dict[int, int] = {}
    claims: dict[int, list[int]] = {}
    for later in reversed(range(len(names))):
        earlier = numbers.get(undoes[later], later)
        if earlier >= later or not {earlier, later}.isdisjoint(pairs):
            continue
        claiming = claims[earlier] = [later, *claims.get(earlier, ())]
        if inverses[earlier].is_undone_by([inverses[number] for number in claiming]):
            pairs |= {**dict.fromkeys(claiming, earlier), earlier: later}
    return pairs


def _conditional(inverse: Inverse, version: int) -> tuple[UndoRequest, ...]:
    first, rest = inverse.requests[:1], inverse.requests[1:]
    return (*(msgspec.structs.replace(request, if_match=f'"{version}"') for request in first), *rest)
