"""Declares a view: its tables, and for each of its events the statements that change them.

A statement and its values are opaque here: they are SQLAlchemy Core's, and the storage runs them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.envelope import Envelope, change_of
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.parent import parent_of


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event with what its record holds beside it.

    That is the event's id, the aggregate (`subject`), position, time and actor; the id of the command that
    led to it, the correlation id that joins many changes, and the id of the change that it takes back.
    """

    event: Event
    id: str
    subject: str
    type: str
    partition: int
    offset: int
    time: datetime
    actor: str
    command: str
    correlation: str
    undoes: str
    data: bytes

    @property
    def change(self) -> str:
        """The id of the change that the event belongs to."""
        return change_of(self.id)


def recorded_event(event: Event, envelope: Envelope, partition: int, offset: int) -> Recorded:
    """Return a decoded event with what its envelope and its position have beside it."""
    return Recorded(
        event=event,
        id=envelope.id,
        subject=envelope.subject,
        type=envelope.type,
        partition=partition,
        offset=offset,
        time=envelope.time,
        actor=envelope.actor,
        command=envelope.commandid,
        correlation=envelope.correlationid,
        undoes=envelope.undoes,
        data=bytes(envelope.data),
    )


#: One statement (a constant of the view's module, so that a batch can run it many times) and its values.
Change = tuple[Any, Mapping[str, Any]]
Handler = Callable[[Any, Recorded], Iterable[Change]]
#: The execution option of a statement that derives columns from other rows of its key, and nothing else. It
#: follows every change of these rows, and no statement reads the columns, so only its last run in a batch is
#: needed.
DERIVED = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view (projection): tables that answer a question, and the handlers that keep them up to date.

    Raise `version` whenever tables or handlers change: rows of another version are rebuilt from the log.
    `keyed`: a record changes and reads only rows of its own key, so records of different keys can be applied
    in any order, which is faster. `opens`: its handlers get the sealed texts of events as `SealedText`, to
    make search tokens of their plain texts; its rows are rebuilt when a key was destroyed. `by_parent`: for
    `keyed`, the records of children count as those of their parent's key.
    """

    name: str
    topic: str
    catalogue: Catalogue
    tables: Any
    handlers: Mapping[type[Event], Handler]
    version: int = 1
    keyed: bool = False
    opens: bool = False
    by_parent: bool = False

    def key_of(self, key: str) -> str | None:
        """Return the key whose rows a record changes; None if it may depend on those of any other."""
        if not self.keyed:
            return None
        return parent_of(key) if self.by_parent else key

    def changes(self, recorded: Recorded) -> Iterable[Change]:
        """Return the changes of rows that this event leads to; none if the view has no handler for it."""
        handler = self.handlers.get(type(recorded.event))
        return () if handler is None else handler(recorded.event, recorded)
