"""The kinds of items as a node runs them: an item is loaded first, then deployed, and can be undone."""

from collections.abc import Callable, Collection
from typing import Protocol

from bookshelf.cqrs.item import ItemChange, ItemProblem

#: Takes a change back, exactly.
Undo = Callable[[], None]
#: Puts what was loaded into force, at once and without failing.
Apply = Callable[[], Undo]


class ItemRefused(Exception):
    """An item cannot be loaded or deployed here; `problems` has what is wrong with its content."""

    def __init__(self, reason: str, problems: tuple[ItemProblem, ...] = ()) -> None:
        super().__init__(reason)
        self.problems = problems


class LoadedItem(Protocol):
    """One change that a node has loaded."""

    async def deploy(self) -> None:
        """Put it into force, in place of the former item. Raises `ItemRefused`."""

    async def undo(self) -> None:
        """Restore what was before it, whether it was deployed or not."""

    async def settle(self) -> None:
        """Discard what only `undo` would need: the rollout was committed."""


class ItemKind(Protocol):
    """One kind of items."""

    def check(self, change: ItemChange) -> tuple[ItemProblem, ...]:
        """Return what is wrong with an item; nothing is changed."""

    def concerns(self, change: ItemChange) -> Collection[str] | None:
        """Return the services of this node whose requests a change concerns; None for all."""

    async def load(self, change: ItemChange) -> LoadedItem:
        """Get a change ready. Raises `ItemRefused`; nothing is left of it then."""


class AppliedItem:
    """A loaded item that is put into force by an assignment."""

    def __init__(self, apply: Apply) -> None:
        self._apply = apply
        self._undo: Undo | None = None

    async def deploy(self) -> None:
        """Put it into force."""
        if self._undo is None:
            self._undo = self._apply()

    async def undo(self) -> None:
        """Restore what was before it."""
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()

    async def settle(self) -> None:
        """Keep it."""
        self._undo = None
