"""The port of storage. Every adapter passes the same contract (test/contract/storage_contract.py)."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from bookshelf.cqrs.view import View

T = TypeVar("T")


class StorageFault(Exception):
    """The database could not do what was asked: full, locked, away. The same may work later."""


class TableSet(Protocol):
    """One generation of a view's tables, with its checkpoints and its parked records."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction, in turn with other writes. Raises `StorageFault`."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a consistent snapshot, beside writes. Raises `StorageFault`."""

    async def close(self) -> None:
        """Let go of the database; the rows stay."""


class Storage(Protocol):
    """Finds, makes and swaps the table sets of views. `source` names the log that they derive from."""

    async def live(self, view: View, source: str) -> TableSet:
        """Open the live set; a new empty one if there is none of this view's version and this source."""

    async def beside(self, view: View, source: str) -> TableSet:
        """Make a new empty set beside the live one."""

    async def swap(self, view: View, former: TableSet, new: TableSet) -> None:
        """Make `new` the live set, for good, and drop the former one."""

    async def close(self) -> None:
        """Let go of everything."""
