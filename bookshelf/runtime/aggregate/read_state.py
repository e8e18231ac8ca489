"""Reads the state of an aggregate as of the end of its partition; with a fencing token, also claims it."""

from typing import Any, ClassVar

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import NO_TOKEN
from bookshelf.cqrs.errors import StaleToken
from bookshelf.cqrs.message import Event
from bookshelf.runtime.aggregate.command import CommandRequest, InternalCommand, stale
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot


class ReadState(InternalCommand, frozen=True):
    """Changes no state: what appends nothing is decided on a state that was read to the log's end.

    With a token, the first read of a fenced aggregate appends a record that raises its token. A former holder
    of the lock writes nothing from then on, so what is read stays the newest until its reader changes it.
    """

    TYPE: ClassVar[str] = "bookshelf.read-state.v1"

    def decide(
        self, aggregate: Aggregate[Any], snapshot: AggregateSnapshot[Any], request: CommandRequest
    ) -> tuple[str, list[Event]] | None:
        """Return what records a higher token, without events; else None. Raises `StaleToken`."""
        if not aggregate.fenced or request.token in {NO_TOKEN, snapshot.token}:
            return None
        if request.token < snapshot.token:
            raise StaleToken(stale(request.token, snapshot.token))
        return request.id, []
