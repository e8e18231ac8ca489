"""The log level of the process, which settings and policies of a domain may set for a time."""

from typing import Any, get_args

import structlog

from bookshelf.runtime.agent.item import Undo
from bookshelf.runtime.logs import Level, set_level

_LEVELS = get_args(Level)


class LogLevels:
    """The levels that items ask for; the most detailed of those of policies, or else that of settings.

    Without any of them the level is the one that the process had before.
    """

    def __init__(self) -> None:
        self._before: Any = None
        self._levels: dict[str, Level] = {}

    def set(self, name: str, level: Level | None) -> Undo:
        """Set the level that an item asks for, None for none; return what undoes it.

        `name`: empty for the settings, else the service of a policy.
        """
        former, before = dict(self._levels), self._before
        current = structlog.get_config()["wrapper_class"]
        if not self._levels:
            self._before = current
        self._levels.pop(name, None)
        if level is not None:
            self._levels[name] = level
        self._apply()

        def undo() -> None:
            self._levels, self._before = former, before
            structlog.configure(wrapper_class=current)

        return undo

    def _apply(self) -> None:
        of_policies = [level for name, level in self._levels.items() if name]
        if of_policies:
            set_level(min(of_policies, key=_LEVELS.index))
        elif "" in self._levels:
            set_level(self._levels[""])
        elif self._before is not None:
            structlog.configure(wrapper_class=self._before)
            self._before = None
