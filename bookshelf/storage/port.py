"""The port of storage. Every adapter passes the same contract (test/contract/storage_contract.py)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from bookshelf.cqrs.view import View

if TYPE_CHECKING:  # commands that open no storage start in half the time without it
    from sqlalchemy import Connection

T = TypeVar("T")


class StorageFault(Exception):
    """The database is full, locked or unreachable; the same operation may succeed later."""


class TableSetCorrupt(StorageFault):
    """The stored rows cannot be read and must be rebuilt from the log."""


class TableSetDropped(StorageFault):
    """The table set was dropped, because another one has replaced it."""


class TableSetStatus(NamedTuple):
    """The status of a table set: the offset applied next by partition, and the number of operators' changes.

    `former`: another set has replaced it. `marks` identify the last record before each offset.
    """

    applied: Mapping[int, int]
    edits: int
    former: bool = False
    marks: Mapping[int, str] = MappingProxyType({})


class TableSet(Protocol):
    """One generation of a view's tables, with its checkpoints and its dead letters."""

    @property
    def name(self) -> str:
        """A name unique among all storages; the consumer group that updates the set is named after it."""

    async def write(self, work: "Callable[[Connection], T]") -> T:
        """Run `work` in one transaction; transactions that move the same checkpoint are serialised.

        Raises `StorageFault`, and `TableSetCorrupt` if the rows themselves are damaged.
        """

    async def read(self, work: "Callable[[Connection], T]") -> T:
        """Run `work` on a consistent snapshot, concurrently with writes. Raises the same as `write`."""

    async def index(self) -> None:
        """Create the indexes that a new set has not had yet. Called once it has caught up, before queries.

        Raises `StorageFault`.
        """

    async def look(self) -> TableSetStatus:
        """Return the status, read after this call began. Raises `StorageFault`, `TableSetDropped`."""

    async def close(self) -> None:
        """Close the set's connections; its rows stay."""


class Storage(Protocol):
    """Finds, creates and swaps the table sets of views. `source` names the log that they derive from."""

    @property
    def shared(self) -> bool:
        """True if other processes write and swap the same sets; the processes then divide the partitions."""

    async def live(self, view: View, source: str) -> TableSet:
        """Open the live set of this view's version and this source, or a new empty one if there is none."""

    async def beside(self, view: View, source: str) -> TableSet:
        """Create a new empty set beside the live one."""

    async def swap(self, view: View, former: TableSet, new: TableSet) -> None:
        """Make `new` the live set durably; the former one is dropped once it is unused."""

    async def close(self) -> None:
        """Close all connections and end all threads."""
