"""A command on its way to its owner, and what came of it."""

from datetime import datetime
from typing import Any

import msgspec

from bookshelf.cqrs.message import Command
from bookshelf.cqrs.position import Position


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One command to one aggregate. `id` is the same in every retry.

    `hash` is of the content and set only if the client chose the id; `expects` are the versions of
    which one must be the aggregate's; `fresh` says that the subject's id was never used before;
    `causation` is the id of the message that the command itself follows from, if it does; `size` is that of
    the request in bytes.
    """

    subject: str
    command: Command
    id: str
    at: datetime
    hash: str = ""
    actor: str = "reader"
    expects: frozenset[int] | None = None
    fresh: bool = False
    correlation: str = ""
    causation: str = ""
    traceparent: str = ""
    size: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """What a command left behind. `replayed`: it had been carried out before, nothing was written."""

    subject: str
    state: Any
    version: int
    position: Position | None
    replayed: bool


class NotOwner(Exception):
    """The partition is not, or no longer, owned by this instance: ask the one that owns it."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} is owned elsewhere")
        self.partition = partition


class Busy(Exception):
    """More commands wait than can be answered in time: come again."""
