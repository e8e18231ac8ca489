"""The port of storage. Every adapter passes the same contract (test/contract/storage_contract.py)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection

from bookshelf.cqrs.view import View

T = TypeVar("T")


class StorageFault(Exception):
    """The database could not do what was asked: full, locked, away. The same may work later."""


class TableSetCorrupt(StorageFault):
    """What was stored cannot be read: it is to be made again from the log."""


class TableSetDropped(StorageFault):
    """The set was dropped: another has taken its place."""


class TableSetStatus(NamedTuple):
    """How a table set stands: the offset applied next by partition, how often an operator has changed it.

    `former`: another set has taken its place. `marks` identify the last record before each offset.
    """

    applied: Mapping[int, int]
    edits: int
    former: bool = False
    marks: Mapping[int, str] = MappingProxyType({})


class TableSet(Protocol):
    """One generation of a view's tables, with its checkpoints and its parked records."""

    @property
    def name(self) -> str:
        """A name that no set of any other storage has: who keeps this set up divides its work by it."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction. Those that move one checkpoint take turns.

        Raises `StorageFault`; `TableSetCorrupt` where the rows themselves are damaged.
        """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a consistent snapshot, beside writes. Raises as `write`."""

    async def look(self) -> TableSetStatus:
        """Return how the set stands, not before this was called. Raises `StorageFault`, `TableSetDropped`."""

    async def close(self) -> None:
        """Let go of the database; the rows stay."""


class Storage(Protocol):
    """Finds, makes and swaps the table sets of views. `source` names the log that they derive from."""

    @property
    def shared(self) -> bool:
        """Whether other processes write the same sets, and may swap them: then they divide the partitions."""

    async def live(self, view: View, source: str) -> TableSet:
        """Open the live set; a new empty one if there is none of this view's version and this source."""

    async def beside(self, view: View, source: str) -> TableSet:
        """Make a new empty set beside the live one."""

    async def swap(self, view: View, former: TableSet, new: TableSet) -> None:
        """Make `new` the live set, for good; drop the former one once no one uses it any more."""

    async def close(self) -> None:
        """Let go of everything."""
