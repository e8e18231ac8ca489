"""Reads the state of an aggregate as of the end of its partition."""

from typing import Any, ClassVar

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.message import Event
from bookshelf.runtime.aggregate.command import CommandRequest, InternalCommand
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot


class ReadState(InternalCommand, frozen=True):
    """Changes nothing: what appends nothing is decided on a state that was read to the log's end."""

    TYPE: ClassVar[str] = "bookshelf.read-state.v1"

    def decide(
        self,
        aggregate: Aggregate[Any],  # noqa: ARG002 (the signature of all)
        snapshot: AggregateSnapshot[Any],  # noqa: ARG002 (as above)
        request: CommandRequest,  # noqa: ARG002 (as above)
    ) -> tuple[str, list[Event]] | None:
        """Return None: there are no events."""
        return None
