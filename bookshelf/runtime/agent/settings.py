"""The item `settings`: values of reloadable settings, which every node of a domain applies."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from bookshelf.cqrs.item import ItemChange, ItemProblem
from bookshelf.runtime.agent.item import AppliedItem, Apply, ItemRefused, Undo
from bookshelf.runtime.agent.levels import LogLevels

Check = Callable[[str], tuple[ItemProblem, ...]]
#: Returns what applies values by name, and the process's own ones for the others; raises if it cannot.
Take = Callable[[Mapping[str, Any]], Apply]


class SettingsKind:
    """Applies settings to the parts of this process; each part takes those that concern it.

    `check` returns what is wrong with a text, `read` the values of one that has been checked.
    """

    def __init__(
        self, check: Check, read: Callable[[str], Mapping[str, Any]], levels: LogLevels, parts: Iterable[Take]
    ) -> None:
        self._check = check
        self._read = read
        self._levels = levels
        self._parts = tuple(parts)

    def check(self, change: ItemChange) -> tuple[ItemProblem, ...]:
        """Return what is wrong with the settings."""
        return () if change.action == "remove" else self._check(change.content)

    def concerns(self, _change: ItemChange) -> Collection[str] | None:
        """Return None: settings concern every service."""
        return None

    async def load(self, change: ItemChange) -> AppliedItem:
        """Prepare all parts. Raises `ItemRefused`."""
        if problems := self.check(change):
            raise ItemRefused("the settings are not valid", problems)
        values = {} if change.action == "remove" else self._read(change.content)
        try:
            parts = [take(values) for take in self._parts]
        except Exception as fault:
            raise ItemRefused(f"the settings cannot be applied here: {fault}") from fault
        return AppliedItem(lambda: self._apply(values, parts))

    def _apply(self, values: Mapping[str, Any], parts: Iterable[Apply]) -> Undo:
        undone = [self._levels.set("", values.get("log_level"))]
        undone += [apply() for apply in parts]
        return lambda: _undo(undone)


class RulesKind:
    """Applies the rules of a domain to the gateway of this process, in place of those of its own file.

    `take` returns what puts the rules in a text into force, or the own ones for None.
    """

    def __init__(self, check: Check, take: Callable[[str | None], Apply]) -> None:
        self._check = check
        self._take = take

    def check(self, change: ItemChange) -> tuple[ItemProblem, ...]:
        """Return what is wrong with the rules."""
        return () if change.action == "remove" else self._check(change.content)

    def concerns(self, _change: ItemChange) -> Collection[str] | None:
        """Return None: rules concern every service."""
        return None

    async def load(self, change: ItemChange) -> AppliedItem:
        """Prepare the rules. Raises `ItemRefused`."""
        if problems := self.check(change):
            raise ItemRefused("the rules of the gateway are not valid", problems)
        try:
            return AppliedItem(self._take(None if change.action == "remove" else change.content))
        except Exception as fault:
            raise ItemRefused(f"the rules cannot be applied here: {fault}") from fault


def _undo(undone: list[Undo]) -> None:
    for undo in reversed(undone):
        undo()
