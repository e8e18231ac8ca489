"""A view: its tables, and for each event that concerns it the statements that follow.

A statement and its values are opaque here: SQLAlchemy Core's, run by the storage that holds the tables.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event as a view sees it: what happened, to which aggregate, where, when, by whom."""

    event: Event
    subject: str
    type: str
    partition: int
    offset: int
    time: datetime
    actor: str
    data: bytes


#: One statement (a constant of the view's module, so that a batch can run it many times) and its values.
Change = tuple[Any, Mapping[str, Any]]
Handler = Callable[[Any, Recorded], Iterable[Change]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A question that can be answered from rows.

    `version` moves whenever tables or handlers change: rows of another version are made again.
    """

    name: str
    topic: str
    catalogue: Catalogue
    tables: Any
    handlers: Mapping[type[Event], Handler]
    version: int = 1

    def changes(self, recorded: Recorded) -> Iterable[Change]:
        """Return what this event changes in the rows; nothing for events of no concern."""
        handler = self.handlers.get(type(recorded.event))
        return () if handler is None else handler(recorded.event, recorded)
