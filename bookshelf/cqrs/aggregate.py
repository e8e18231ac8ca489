"""An aggregate: a pure decider, with the names that the runtime needs to host it.

The form is Jérémie Chassaing's decider: `decide(state, command) -> events`, `evolve(state, event) ->
state`, an initial state; and, for deadlines, `due(state) -> (when, command)`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, Generic, TypeVar

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Command, Event, State

S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Generic[S]):
    """One kind of thing that takes commands. `name` is also the source of its events.

    `decide` raises a `Refused` to decline; an empty list says that there is nothing to say. `takes` are
    the commands that may also come by the topic `commands`; an `at` that one has, and that its data leave
    out, is then the time of its envelope. When the deadline of `due` (aware) is reached, its command is
    decided, once for each deadline; it is asked again after every event. `version` moves whenever `evolve`
    makes other states of the same events: stored ones are then made again from the log.
    """

    name: str
    topic: str
    catalogue: Catalogue
    initial: S
    decide: Callable[[S, Any], list[Event]]
    evolve: Callable[[S, Event], S]
    due: Callable[[S], tuple[datetime, Command] | None] | None = None
    takes: tuple[type[Command], ...] = ()
    version: int = 1

    @property
    def commands(self) -> str:
        """The topic that its commands may come by; as many partitions as `topic`, by the same keys."""
        return f"{self.name}.commands"

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        """Return the state after these events."""
        return reduce(self.evolve, events, self.initial if state is None else state)
