"""How far a table set is: known from what is applied here, and from looking at what others apply."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from bookshelf.runtime.metrics import ViewMeters
from bookshelf.storage.port import StorageFault, TableSet, TableSetDropped

#: Seconds between two looks at rows that others change too, while someone waits for them.
_POLL_S = 0.01


class Standing:
    """How a table set stands. `revision` grows with every change of the rows that is known of.

    `shared`: others change the rows as well, and may have them superseded.
    """

    def __init__(self, tables: TableSet, meters: ViewMeters, *, shared: bool) -> None:
        self.tables = tables
        self.shared = shared
        self.revision = 0
        self.applied: dict[int, int] = {}
        #: By partition, what identifies the last record that was applied.
        self.marks: dict[int, str] = {}
        #: Set once another set has taken the place of this one.
        self.superseded = asyncio.Event()
        #: Set by who waits for rows that are not there yet.
        self.wanted = asyncio.Event()
        #: Why shared rows cannot be looked at, if they cannot.
        self.away: str | None = None
        self._meters = meters
        self._edits = 0
        self._moved = asyncio.Event()

    async def refresh(self) -> None:
        """See how far the rows are, at this call or later. Raises `StorageFault`, `TableSetDropped`."""
        before = dict(self.applied)
        try:
            seen = await self.tables.look()
        except StorageFault as fault:
            self.away = str(fault) if self.shared else None
            if isinstance(fault, TableSetDropped):
                self.superseded.set()
            raise
        self.away = None
        if seen.former:
            self.superseded.set()
        edited, self._edits = seen.edits != self._edits, seen.edits
        partitions = self.applied.keys() | seen.applied.keys()
        moved = [self._sees(p, seen.applied.get(p, 0), before.get(p, 0)) for p in partitions]
        for partition, mark in seen.marks.items():
            if seen.applied[partition] == self.applied[partition]:
                self.marks[partition] = mark
        if edited or any(moved):
            self.changed()

    def _sees(self, partition: int, offset: int, before: int) -> bool:
        """Take over a checkpoint; a lower one too, of a database set back, if none was moved meanwhile."""
        known = self.applied.get(partition, 0)
        if offset == known or (offset < known and known != before):
            return False
        self.applied[partition] = offset
        self._meters.applied(partition, offset, 0)
        return True

    def advance(self, partition: int, offset: int, parked: int) -> None:
        """Note what was applied here."""
        self.applied[partition] = offset
        self._meters.applied(partition, offset, parked)
        self.changed()

    def changed(self) -> None:
        """Wake everyone who waits for the rows to move."""
        self.revision += 1
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def reaches(self, offsets: Mapping[int, int]) -> bool:
        """Whether everything before these offsets, by partition, is in."""
        return all(self.applied.get(partition, 0) >= offset for partition, offset in offsets.items())

    async def reach(self, offsets: Mapping[int, int]) -> None:
        """Return once everything before these offsets, by partition, is in."""
        while not self.reaches(offsets):
            await self.news()

    async def news(self) -> None:
        """Return once the rows may have moved."""
        self.wanted.set()
        moved = self._moved
        if not self.shared:
            await moved.wait()
            return
        try:
            async with asyncio.timeout(_POLL_S):
                await moved.wait()
        except TimeoutError:
            with suppress(StorageFault):  # `away` tells; who waits has a deadline
                await self.refresh()
