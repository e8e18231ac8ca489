"""Table sets in MariaDB: one database for each, and a catalogue with the live ones."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from uuid import uuid4

import structlog
from sqlalchemy import Connection

from bookshelf.cqrs.view import View
from bookshelf.storage import checkpoints
from bookshelf.storage.mariadb import faults as mariadb_faults
from bookshelf.storage.mariadb import table_sets
from bookshelf.storage.mariadb.database import MariaDbDatabase
from bookshelf.storage.port import StorageFault, TableSet
from bookshelf.storage.shared.database import Timeouts, within
from bookshelf.storage.shared.storage import SharedStorage
from bookshelf.storage.shared.tables import SetPlace, SharedTables

T = TypeVar("T")

#: Seconds between two renewals of what this process uses.
_RENEWED_S = 5.0
_logger = structlog.get_logger(__name__)


class MariaDbTables(SharedTables):
    """A table set that this process uses for as long as it renews that."""

    def __init__(self, storage: "MariaDbStorage", place: SetPlace, view: View, source: str) -> None:
        super().__init__(storage.database, place, partial(storage.closed, view, source))
        self._storage = storage

    async def let_go(self) -> None:
        """Release the set, so that it is no longer marked as used."""
        await super().let_go()
        await self._storage.leave(self.number)


class MariaDbStorage(SharedStorage[MariaDbDatabase]):
    """The rows of all views in databases of one server or cluster."""

    def __init__(self, database: MariaDbDatabase) -> None:
        super().__init__(database)
        self.database = database
        self._user = uuid4().hex
        self._renewing: asyncio.Task[None] | None = None

    @classmethod
    def _at(cls, url: str, patience: Timeouts) -> MariaDbDatabase:
        return MariaDbDatabase(url, patience)

    @classmethod
    def _look(
        cls, database: MariaDbDatabase, db: Connection, of: tuple[str, str], read: Callable[[Connection], T]
    ) -> T | None:
        number = table_sets.newest_live(
            db.execution_options(schema_translate_map=database.address.schemas()), *of
        )
        if number is None:
            return None
        return read(db.execution_options(schema_translate_map=database.address.schemas(number)))

    async def live(self, view: View, source: str) -> TableSet:
        """Open the live set of this version and log; the first instance creates it."""
        await self._drop_unused(view, source, other_versions=True)

        def existing(db: Connection) -> tuple[int, str] | None:
            table_sets.take_turn(db)
            found = table_sets.live(db, view, source)
            if found is not None:
                table_sets.use(db, found[0], self._user)
            return found

        found = await self._change(existing)
        if found is None:
            built = await self._built(view, source)

            def first(db: Connection) -> tuple[int, str]:
                other = existing(db)  # another instance may have been faster
                if other is None:
                    table_sets.point(db, built[0])
                return other or built

            found = await self._change(first)
            if found != built:
                await self.leave(built[0])
                await self._sweep(view, source)
        else:
            await self._upgrade(found[0])
        return self._opened(*found, view, source, live=True)

    async def beside(self, view: View, source: str) -> TableSet:
        """Create a new empty set beside the live one."""
        return self._opened(*await self._built(view, source), view, source, live=False)

    def _opened(self, number: int, name: str, view: View, source: str, *, live: bool) -> SharedTables:
        look = partial(table_sets.look, number=number)
        place = SetPlace(number=number, name=name, schemas=self.database.address.schemas(number), look=look)
        tables = MariaDbTables(self, place, view, source)
        tables.live = live
        self._open.add(tables)
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        return tables

    async def _built(self, view: View, source: str) -> tuple[int, str]:
        def add(db: Connection) -> tuple[int, str]:
            table_sets.take_turn(db)
            return table_sets.add(db, view, source, self._user)

        number, name = await self._change(add)
        address = self.database.address
        await self._change(lambda db: table_sets.build(db, address, number, view, source))
        return number, name

    async def _upgrade(self, number: int) -> None:
        schema = self.database.address.schema(number)
        await self._change(lambda db: checkpoints.upgrade(db, schema))

    async def _change(self, work: Callable[[Connection], T]) -> T:
        return await self.database.run(within(self.database.writing, self.database.address.schemas()), work)

    async def leave(self, number: int) -> None:
        """Note that this process no longer uses the set; if that fails, the use ends by itself."""
        with contextlib.suppress(StorageFault):
            await self._change(lambda db: table_sets.leave(db, number, self._user))

    async def closed(self, view: View, source: str, tables: SharedTables) -> None:
        """Drop the set if it was the last use of a former one."""
        await self._closed(view, source, tables)

    def _point(self, db: Connection, number: int) -> None:
        inside = db.execution_options(schema_translate_map=self.database.address.schemas())
        table_sets.take_turn(inside)
        table_sets.point(inside, number)

    async def _sweep(self, view: View, source: str) -> None:
        await self._drop_unused(view, source, other_versions=False)

    async def _drop_unused(self, view: View, source: str, *, other_versions: bool) -> None:
        def mark(db: Connection) -> list[int]:
            table_sets.take_turn(db)
            return table_sets.doomed(db, view, source, other_versions=other_versions)

        for number in await self._change(mark):
            await self._change(lambda db, number=number: table_sets.drop(db, self.database.address, number))  # type: ignore[misc]

    async def _renew(self) -> None:
        """Renew the uses of this process; a use that is not renewed for a minute has ended."""
        while True:
            await asyncio.sleep(_RENEWED_S)
            numbers = sorted(tables.number for tables in self._open)
            try:
                await self._change(lambda db: table_sets.renew(db, numbers, self._user))  # noqa: B023 (awaited here)
            except StorageFault as fault:
                _logger.warning("table-sets-not-renewed", why=str(fault))

    def _answers_soon(self, fault: BaseException) -> bool:
        return mariadb_faults.is_busy(fault)

    def _prepare(self, db: Connection) -> None:
        table_sets.make(db, self.database.address)

    async def close(self) -> None:
        """Release all sets and close every connection."""
        if self._renewing is not None:
            self._renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewing
        await super().close()
