"""What a command has led to, as its endpoint or a handler gets it."""

from typing import Any

import msgspec

from bookshelf.cqrs.position import Position


class CommandResult(msgspec.Struct, frozen=True):
    """The state and version after a command. `replayed`: it was a repetition, and nothing was appended.

    `change` is the id of the command's first event; empty if it has none.
    """

    subject: str
    state: Any
    version: int
    position: Position | None
    replayed: bool
    change: str = ""
