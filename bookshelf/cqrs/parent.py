"""Declares the parent of child aggregates: what their owner folds of it, and where their records are.

The key `PARENT~CHILD` names a child. All records of a child are in the partition of its parent, so its owner
folds the parent's records too, and the order of the partition decides what came first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Generic, TypeVar

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event, State

P = TypeVar("P", bound=State)
#: Separates the parent's id and the child's in a key.
SEPARATOR = "~"


def parent_of(key: str) -> str:
    """Return the key of the parent of a child's key; any other key as it is."""
    return key.partition(SEPARATOR)[0]


def is_child(key: str) -> bool:
    """Return True if a key has the form of a child's key."""
    return SEPARATOR in key


def _always(_state: Any, _event: Event) -> bool:  # noqa: ANN401 (any parent's state)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent(Generic[P]):
    """What the owner of children folds of their parent: often less than the parent's own state.

    `folds` are the events that `evolve` reads. `admits(state, event)` is False for an event of a child that
    has no effect, because in the partition it follows the end of the parent: the parent may have another
    owner, which appends that end between the last read of the child's owner and its append. Raise `version`
    when `evolve` or `admits` leads to other states of the same events.
    """

    catalogue: Catalogue
    initial: P
    evolve: Callable[[P, Event], P]
    folds: tuple[type[Event], ...]
    admits: Callable[[P, Event], bool] = _always
    version: int = 1

    def fold(self, *events: Event) -> P:
        """Return the parent's state after these events."""
        return reduce(self.evolve, events, self.initial)
