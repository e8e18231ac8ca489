"""Undo: the requests that take a change back, computed from the events of its book, list or goal.

A later change blocks the undo if it changed what the undo would change, unless it was taken back itself.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bookshelf.cqrs.message import Event
from bookshelf.shelf import events as on_shelf
from bookshelf.shelf.inverse import Inverse, Slot, UndoRequest
from bookshelf.shelf.undo_book import BookPast
from bookshelf.shelf.undo_list import ListPast


class PastEvent(msgspec.Struct, frozen=True):
    """An event, the id of its change, and the id of the change that this one takes back, if any."""

    event: Event
    change: str
    undoes: str = ""


class Undo(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a change is taken back: by requests, in this order; or the later changes that prevent it.

    `undone`: it was taken back already.
    """

    undo: Annotated[tuple[UndoRequest, ...], Meta(description="what to send, in order")] | UnsetType = UNSET
    blocked_by: (
        Annotated[tuple[str, ...], Meta(description="the later changes that prevent it")] | UnsetType
    ) = UNSET
    undone: Annotated[bool, Meta(description="true if it was taken back already")] = False


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
    inverses = [past.invert([each.event for each in change]) for change in changes]
    names = [change[0].change for change in changes]
    pairs = _pairs(names, [change[0].undoes for change in changes], inverses)
    changed = _ChangedSlots(inverses)
    found: dict[str, Undo] = {}
    for number, name in enumerate(names):
        if name in wanted:
            own = inverses[number]
            past.finish(own)
            later = changed.blocking(own, number)
            blocking = tuple(names[n] for n in later if pairs.get(n, -1) <= number)
            undone = pairs.get(number, -1) > number
            requests = UNSET if blocking else _conditional(own, version)
            found[name] = Undo(undo=requests, blocked_by=blocking or UNSET, undone=undone)
    return found


class _ChangedSlots:
    """Finds the later changes that block an undo without a look at the others: a list has thousands."""

    def __init__(self, inverses: Sequence[Inverse]) -> None:
        #: The changes of exactly a slot, of a slot or what is part of it, and those that opened a reading.
        self._of: defaultdict[Slot, list[int]] = defaultdict(list)
        self._within: defaultdict[Slot, list[int]] = defaultdict(list)
        self._opening: defaultdict[int | None, list[int]] = defaultdict(list)
        for number, inverse in enumerate(inverses):
            self._opening[inverse.opened].append(number)
            for slot in inverse.values:
                self._of[slot].append(number)
                for beginning in _beginnings(slot):
                    self._within[beginning].append(number)

    def blocking(self, own: Inverse, number: int) -> list[int]:
        """Return the changes after `number` that block the undo of that one, in their order."""
        candidates = [self._within[slot] for slot in own.waits]
        candidates += [self._of[whole] for slot in own.waits for whole in _beginnings(slot)]
        if own.hindered_by is not None:
            candidates.append(self._opening[own.hindered_by])
        return sorted({later for numbers in candidates for later in numbers[bisect_right(numbers, number) :]})


def _beginnings(slot: Slot) -> Iterator[Slot]:
    return (slot[:length] for length in range(len(slot) + 1))


def _past_of(subject: str, first: Event) -> BookPast | ListPast | GoalPast:
    if isinstance(first, on_shelf.GoalSet):
        return GoalPast()
    return ListPast(subject) if isinstance(first, on_shelf.LIST_EVENTS) else BookPast(subject)


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
