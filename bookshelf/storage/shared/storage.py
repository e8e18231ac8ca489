"""A storage in a database that many instances share: what is the same whichever database it is."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Self, TypeVar

import structlog
from sqlalchemy import Connection

from bookshelf.cqrs.view import View
from bookshelf.storage.port import StorageFault, TableSet
from bookshelf.storage.shared.database import ConnectionLost, SharedDatabase, Timeouts
from bookshelf.storage.shared.tables import SharedTables

_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 5.0
_PATIENCE = Timeouts()
_logger = structlog.get_logger(__name__)

D = TypeVar("D", bound=SharedDatabase)
T = TypeVar("T")


class SharedStorage(ABC, Generic[D]):
    """The rows of all views in one database, which other instances use too."""

    shared = True

    def __init__(self, database: D) -> None:
        self._database = database
        self._open: set[SharedTables] = set()

    @classmethod
    async def open(cls, url: str, wait_s: float = 60.0, patience: Timeouts = _PATIENCE) -> Self:
        """Wait up to `wait_s` for the database and create its catalogue. Raises `StorageFault`."""
        database = cls._at(url, patience)
        storage = cls(database)
        try:
            async with asyncio.timeout(wait_s) as deadline:
                await storage._prepared()
        except BaseException as fault:
            await database.close()
            if deadline.expired():
                program = database.program
                msg = f"no {program} answers at the address of the setting `storage` within {wait_s:g} s"
                raise StorageFault(msg) from fault
            raise
        return storage

    @classmethod
    async def look_at(cls, url: str, view: str, topic: str, read: Callable[[Connection], T]) -> T | None:
        """Return what `read` finds in the newest live rows of a view of a topic; None if there are none.

        Nothing is changed, so that an operator can look at a database that is in use. Raises `StorageFault`.
        """
        database = cls._at(url, _PATIENCE)
        try:
            return await database.run(
                database.reading, lambda db: cls._look(database, db, (view, topic), read)
            )
        except StorageFault as fault:
            if fault.__cause__ is not None and database.missing(fault.__cause__):
                return None  # nothing was ever kept there
            raise
        finally:
            await database.close()

    @classmethod
    @abstractmethod
    def _look(
        cls, database: D, db: Connection, of: tuple[str, str], read: Callable[[Connection], T]
    ) -> T | None:
        """Return what `read` finds in the newest live set of a view and its topic, in one transaction."""

    @classmethod
    @abstractmethod
    def _at(cls, url: str, patience: Timeouts) -> D:
        """Return the database of an address."""

    @abstractmethod
    def _prepare(self, db: Connection) -> None:
        """Create the catalogue if there is none. Raises `StorageFault` if the database is unsuitable."""

    @abstractmethod
    def _answers_soon(self, fault: BaseException) -> bool:
        """Return True for an error of a server that will answer soon: it starts, or is busy."""

    @abstractmethod
    def _point(self, db: Connection, number: int) -> None:
        """Make this set the live one of its view, version and log. Raises `TableSetDropped`."""

    @abstractmethod
    async def _sweep(self, view: View, source: str) -> None:
        """Drop the unused sets of this view and log. Raises `StorageFault`."""

    async def _prepared(self) -> None:
        """Wait until the database answers and is prepared. Raises `StorageFault` if it is unsuitable."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                await self._database.run(self._database.writing, self._prepare)
            except StorageFault as fault:
                if not self._may_come(fault):
                    raise
                _logger.warning("waiting-for-the-database", why=str(fault), again_in_s=pause_s)
            else:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)

    def _may_come(self, fault: StorageFault) -> bool:
        cause = fault.__cause__
        lost = isinstance(fault, ConnectionLost) or isinstance(cause, TimeoutError)
        return lost or self._answers_soon(cause or fault)

    async def swap(self, view: View, former: TableSet, new: TableSet) -> None:  # noqa: ARG002 (the port's)
        """Make the new set live; the last process to use the former one drops it. Raises `StorageFault`."""
        assert isinstance(former, SharedTables)  # noqa: S101 (only its own sets come back to a storage)
        assert isinstance(new, SharedTables)  # noqa: S101 (as above)
        number = new.number
        try:
            await self._database.run(self._database.writing, lambda db: self._point(db, number))
            former.live, new.live = False, True
        finally:
            await former.close()

    async def _closed(self, view: View, source: str, tables: SharedTables) -> None:
        self._open.discard(tables)
        if tables.live:
            return
        try:
            await self._sweep(view, source)
        except StorageFault as fault:  # another process drops them, at its next start at the latest
            _logger.warning("table-set-left", view=view.name, why=str(fault))

    async def close(self) -> None:
        """Release all sets and close every connection."""
        for tables in self._open:
            await tables.let_go()
        await self._database.close()
