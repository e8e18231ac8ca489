"""The inverses of the changes of a list: of its name, its entries and their places."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property, reduce
from urllib.parse import quote

from bookshelf.cqrs.message import Event
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
from bookshelf.shelf.inverse import Inverse

Ranks = dict[str, str]


class ListPast:
    """Inverts the changes of one list, one after the other."""

    def __init__(self, list_id: str) -> None:
        # `up-next:PERSON` has the path of the caller's own list
        self._path = f"/lists/{quote(list_id.partition(':')[0], safe='')}"
        self._name = ""
        self._ranks: Ranks = {}
        #: The ranks before and after each reordering.
        self._reordered: list[tuple[Ranks, Ranks]] = []
        #: The former ranks that inverses restore: book, rank, and the number of reorderings before.
        self._places: defaultdict[Inverse, list[tuple[str, str, int]]] = defaultdict(list)

    def invert(self, events: Iterable[Event]) -> Inverse:
        """Return the inverse of the next change."""
        inverse = Inverse()
        for event in events:
            self._invert(inverse, event)
        return inverse

    def _invert(self, inverse: Inverse, event: Event) -> None:
        match event:
            case ListCreated(name=""):
                pass  # up-next always exists: only its first entry can be taken back
            case ListCreated(name=name):
                self._name = name
                inverse.changed((), None, "present")
                inverse.ask("DELETE", self._path)
            case ListRestored():
                inverse.changed((), None, "present")
                inverse.ask("DELETE", self._path)
            case ListRemoved():
                inverse.changed((), "present", None)
                inverse.ask("POST", f"{self._path}/restored")
            case ListRenamed(name=name):
                inverse.changed(("name",), self._name, name)
                inverse.ask("PATCH", self._path, {"name": self._name})
                self._name = name
            case ListReordered(ranks=ranks):
                self._reordered.append((self._ranks, dict(ranks)))
                self._ranks = dict(ranks)
            case ListEntryAdded(book=book, rank=rank):
                inverse.changed(("entry", book), None, "present")
                inverse.ask("DELETE", f"{self._path}/books/{quote(book, safe='')}")
                self._ranks[book] = rank
            case ListEntryMoved(book=book) | ListEntryRemoved(book=book):
                self._take(inverse, event, book)

    def _take(self, inverse: Inverse, event: ListEntryMoved | ListEntryRemoved, book: str) -> None:
        former = self._ranks.pop(book, "")
        self._places[inverse].append((book, former, len(self._reordered)))
        if isinstance(event, ListEntryMoved):
            inverse.changed(("entry", book), former, event.rank)
            self._ranks[book] = event.rank
        else:
            inverse.changed(("entry", book), "present", None)

    def finish(self, inverse: Inverse) -> None:
        """Complete an inverse by the present order: an entry goes behind the one that precedes its rank."""
        for book, rank, reorderings in self._places[inverse]:
            place = reduce(_renewed, self._reordered[reorderings:], rank)
            end = bisect_left(self._order, (place, ""))
            before = [other for _, other in self._order[max(end - 2, 0) : end] if other != book]
            after = before[-1] if before else None
            inverse.ask("PUT", f"{self._path}/books/{quote(book, safe='')}", {"after": after})

    @cached_property
    def _order(self) -> list[tuple[str, str]]:
        """The present ranks in order, each with its book."""
        return sorted((rank, book) for book, rank in self._ranks.items())


def _renewed(rank: str, reordering: tuple[Ranks, Ranks]) -> str:
    """Return what a rank became by a reordering: a text right behind the entry that preceded it."""
    before, after = reordering
    precedes = [book for book, place in before.items() if place < rank and book in after]
    last = max(precedes, key=lambda book: before[book], default=None)
    return "" if last is None else after[last] + "\0"
