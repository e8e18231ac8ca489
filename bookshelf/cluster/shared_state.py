"""The state that all clients of a domain share; with the scope `application`, that of a service group.

It is changed as a session is, and has no end.
"""

from datetime import datetime
from typing import ClassVar

from bookshelf.cluster.session_events import (
    EVENTS,
    SHARED_EVENTS,
    TOPIC,
    SharedStateChanged,
    SharedStateCopied,
    Values,
)
from bookshelf.cluster.session_state import (
    COPY_AFTER,
    SharedState,
    check_read,
    evolve_shared,
    texts_of,
    values_of,
    versions_of,
    wants_copy,
)
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.session_state import changed_content, check_limits


class ChangeSharedState(Command, frozen=True):
    """Set values and drop keys, if all that was read still has these versions."""

    TYPE: ClassVar[str] = "cluster.change-shared-state.v1"
    set: Values
    drop: tuple[str, ...]
    versions: dict[str, int]
    scopes: dict[str, int]
    at: datetime


class CopySharedState(Command, frozen=True):
    """Write a copy of the state, because the last one is a day old."""

    TYPE: ClassVar[str] = "cluster.copy-shared-state.v1"
    at: datetime


def decide_shared(state: SharedState, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `Conflict`, `StateTooLarge`, `Invalid`."""
    match command:
        case ChangeSharedState():
            return _changed(state, command)
        case CopySharedState(at=at) if wants_copy(state, at):
            return [_shared_copy(state, at)]
    return []


def _changed(state: SharedState, command: ChangeSharedState) -> list[Event]:
    check_read(state.content, command.versions, command.scopes)
    values = state.content.values
    drop = tuple(key for key in command.drop if key in values and key not in command.set)
    if not command.set and not drop:
        return []
    texts = texts_of(command.set)
    check_limits(changed_content(state.content, texts, drop), texts)
    changed = SharedStateChanged(set=command.set, drop=drop, versions=command.versions, at=command.at)
    after = evolve_shared(state, changed)
    return [changed, *([_shared_copy(after, command.at)] if wants_copy(after, command.at) else ())]


def _shared_copy(state: SharedState, at: datetime) -> Event:
    content = state.content
    return SharedStateCopied(
        at=at, n=content.n, set=values_of(content), versions=versions_of(content), scopes=content.scopes
    )


def due_shared(state: SharedState) -> tuple[datetime, Command] | None:
    """Return when the next full copy is due: the topic keeps its records for some days only."""
    if state.copied is None:
        return None
    moment = state.copied + COPY_AFTER
    return moment, CopySharedState(at=moment)


SHARED_STATE = Aggregate(
    name="shared-state",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=SharedState(),
    decide=decide_shared,
    evolve=evolve_shared,
    due=due_shared,
    takes=(ChangeSharedState,),
    folds=SHARED_EVENTS,
    copied=True,
)
