"""Events that an owner has appended and not yet read back, folded on top of the states of the log."""

from collections.abc import Mapping, Sequence
from typing import Any

from bookshelf.log.port import Record
from bookshelf.runtime.aggregate.snapshot import (
    UNSETTLED,
    AggregateSnapshot,
    DecodedEvent,
    SnapshotFold,
    spill,
)
from bookshelf.runtime.aggregate.state_cache import StateCache

#: Bytes that a pending event takes in memory beside its encoded record, estimated.
_EVENT_BYTES = 500


class PendingEvents:
    """Snapshots as of the log, with the owner's own pending events folded on top.

    Only the log determines a state: events of other writers are folded first, in its order, then those that
    are still pending.
    """

    def __init__(self, fold: SnapshotFold, states: StateCache) -> None:
        self._fold = fold
        self._states = states
        #: The pending events by key, oldest first.
        self._mine: dict[str, list[DecodedEvent]] = {}
        self._heads: dict[str, AggregateSnapshot[Any]] = {}
        #: Bytes of the pending events.
        self.pending_bytes = 0

    def head(self, key: str) -> AggregateSnapshot[Any]:
        """Return the snapshot of a loaded key with its pending events folded in."""
        mine = self._mine.get(key)
        if mine is None:
            return self._states.get(key)
        head = self._heads.get(key)
        if head is None:
            head = self._states.get(key)
            for event in mine:
                head = self._fold.after(head, event)
            self._heads[key] = head
        return head

    def add(self, key: str, events: Sequence[DecodedEvent]) -> None:
        """Add new events of a key as pending."""
        head = self.head(key)
        for event in events:
            head = self._fold.after(head, event)
        self._mine.setdefault(key, []).extend(events)
        self.pending_bytes += _bytes_of(events)
        self._heads[key] = head

    def newest_event(self, key: str) -> str:
        """Return the id of the newest pending event of a key; empty if it has none."""
        mine = self._mine.get(key, ())
        return next((decoded.envelope.id for decoded in reversed(mine) if decoded.event is not None), "")

    def settle(self, key: str, offsets: Mapping[str, int]) -> None:
        """Set the offsets, by event id, of those events of a key that are still pending."""
        mine = self._mine.get(key)
        if mine is None:
            return
        self._mine[key] = [
            DecodedEvent(
                decoded.envelope,
                decoded.event,
                offsets.get(decoded.envelope.id, decoded.offset),
                size=decoded.size,
            )
            for decoded in mine
        ]
        self._heads.pop(key, None)

    def read_back(self, record: Record) -> None:
        """Fold a record of the log into its loaded key; if it was pending, it is pending no more."""
        key = record.key
        snapshot, event_id = self._fold.apply(self._states.get(key), record)
        snapshot, older = spill(snapshot)
        self._states.put(key, snapshot, len(record.value))
        if older:
            self._states.spill(key, older, snapshot.done[-1].at_ms)
        mine = self._mine.get(key)
        if mine is None:
            return
        self._heads.pop(key, None)
        if mine[0].envelope.id == event_id:
            self.pending_bytes -= _bytes_of(mine[:1])
            del mine[0]
        if not mine:
            del self._mine[key]

    def drop_unsettled(self) -> None:
        """Remove the pending events without an offset: their append has certainly failed."""
        kept = {
            key: [event for event in mine if event.offset != UNSETTLED] for key, mine in self._mine.items()
        }
        self._mine = {key: mine for key, mine in kept.items() if mine}
        self.pending_bytes = sum(map(_bytes_of, self._mine.values()))
        self._heads.clear()

    def clear(self) -> None:
        """Remove all pending events: the log was read to its end, so the states have them or they failed."""
        self._mine.clear()
        self.pending_bytes = 0
        self._heads.clear()


def _bytes_of(events: Sequence[DecodedEvent]) -> int:
    return sum(event.size + _EVENT_BYTES for event in events)
