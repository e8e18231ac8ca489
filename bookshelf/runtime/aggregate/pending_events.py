"""What an owner has said and not yet read back: laid over its states until the log returns it."""

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

#: What a pending event takes in memory beside its bytes, about.
_SAID_BYTES = 500


class PendingEvents:
    """States as the log has them, with the owner's own newest sayings on top.

    The log alone makes state: what others wrote in between comes first, then what is still ours.
    """

    def __init__(self, fold: SnapshotFold, states: StateCache) -> None:
        self._fold = fold
        self._states = states
        self._mine: dict[str, list[DecodedEvent]] = {}
        self._heads: dict[str, AggregateSnapshot[Any]] = {}
        #: Bytes of the pending events.
        self.pending_bytes = 0

    def head(self, key: str) -> AggregateSnapshot[Any]:
        """Return what is held of a loaded key, with what is ours on top."""
        mine = self._mine.get(key)
        if mine is None:
            return self._states.get(key)
        head = self._heads.get(key)
        if head is None:
            head = self._states.get(key)
            for said in mine:
                head = self._fold.after(head, said)
            self._heads[key] = head
        return head

    def add(self, key: str, said: Sequence[DecodedEvent]) -> None:
        """Lay sayings on top."""
        head = self.head(key)
        for one in said:
            head = self._fold.after(head, one)
        self._mine.setdefault(key, []).extend(said)
        self.pending_bytes += _bytes_of(said)
        self._heads[key] = head

    def newest_event(self, key: str) -> str:
        """Return the id of the newest pending event of a key; empty if it has none."""
        mine = self._mine.get(key, ())
        return next((one.envelope.id for one in reversed(mine) if one.event is not None), "")

    def settle(self, key: str, places: Mapping[str, int]) -> None:
        """Set the offsets of pending records by their ids; those that were read back are gone from here."""
        mine = self._mine.get(key)
        if mine is None:
            return
        self._mine[key] = [
            DecodedEvent(one.envelope, one.event, places.get(one.envelope.id, one.offset), size=one.size)
            for one in mine
        ]
        self._heads.pop(key, None)

    def read_back(self, record: Record) -> None:
        """Fold a record of the log into its loaded key; if it is ours, it leaves the overlay."""
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
        """Forget what was certainly not written."""
        kept = {key: [one for one in mine if one.offset != UNSETTLED] for key, mine in self._mine.items()}
        self._mine = {key: mine for key, mine in kept.items() if mine}
        self.pending_bytes = sum(map(_bytes_of, self._mine.values()))
        self._heads.clear()

    def clear(self) -> None:
        """Forget everything: the log was read to its end."""
        self._mine.clear()
        self.pending_bytes = 0
        self._heads.clear()


def _bytes_of(said: Sequence[DecodedEvent]) -> int:
    return sum(one.size + _SAID_BYTES for one in said)
