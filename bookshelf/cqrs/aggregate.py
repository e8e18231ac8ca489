"""Declares an aggregate: a pure decider, with the names that the runtime needs to run it.

The form is Jérémie Chassaing's decider: `decide(state, command) -> events`, `evolve(state, event) ->
state`, an initial state; and, for deadlines, `due(state) -> (when, command)`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, Generic, TypeVar

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.parent import Parent, parent_of

S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Generic[S]):
    """One kind of aggregate: how it decides commands and folds events. `name` is the source of its events.

    `decide` raises a `Refused` to decline a command; an empty list means that nothing changes. `takes` are
    the commands that can also arrive by the topic `commands`; if the data of one lacks its field `at`, that
    is the time of the envelope. `due` is called after every event; when its deadline (aware) is reached, its
    command is decided, once for each deadline. Raise `version` when `evolve` makes other states of the same
    events: stored states are then rebuilt from the log. Commands for ids that `reserved_ids` matches are
    refused. `folds` are the events that `evolve` reads, if the catalogue has many others: for the keys of
    these, owners then keep no state. `refusals` are events that decline a command: like refusals, they are
    decided on a state that is read to the end of the partition. `owner` returns the person that a state
    belongs to, None for the local reader: the commands of anyone else are refused as if there was nothing.

    One that is `copied` writes its whole state at least every day, so the records of its topic may be deleted
    after some days (the setting `cluster_sessions_keep_days`); those of all others are kept.

    A `fenced` aggregate is written by the holder of a lock: it remembers the highest fencing token of its
    accepted commands, and refuses those with a lower one, or with none, with `StaleToken`. It is read with a
    token, too: that counts as a command, so that no former holder changes what the next one has read. All
    tokens of one aggregate instance come from one lock. Its own deadlines need no token.

    With a `parent` it is a child aggregate: its ids are `PARENT~CHILD`, its records are in the partition of
    PARENT, and `decide(state, command, parent_state)` gets the parent's state as well. A child has no
    deadlines. Raises ValueError for a child with `due`.
    """

    name: str
    topic: str
    catalogue: Catalogue
    initial: S
    decide: Callable[..., list[Event]]
    evolve: Callable[[S, Event], S]
    due: Callable[[S], tuple[datetime, Command] | None] | None = None
    takes: tuple[type[Command], ...] = ()
    version: int = 1
    reserved_ids: re.Pattern[str] | None = None
    folds: tuple[type[Event], ...] = ()
    refusals: tuple[type[Event], ...] = ()
    owner: Callable[[S], str | None] | None = None
    parent: Parent[Any] | None = None
    copied: bool = False
    fenced: bool = False

    def __post_init__(self) -> None:
        if self.parent is not None and self.due is not None:
            msg = f"{self.name} has a parent and deadlines, which a child has not; give them to its parent"
            raise ValueError(msg)

    @property
    def commands(self) -> str:
        """The topic for its command messages; it has as many partitions as `topic`, and the same keys."""
        return f"{self.name}.commands"

    def placed_by(self, subject: str) -> str:
        """Return the key whose partition has the records of this id: the parent's of a child, else itself."""
        return subject if self.parent is None else parent_of(subject)

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        """Return the state after these events, from `state` or else the initial one on."""
        return reduce(self.evolve, events, self.initial if state is None else state)
