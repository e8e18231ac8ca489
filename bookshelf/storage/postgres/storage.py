"""Table sets in a PostgreSQL database: one schema for each, and a catalogue with the live ones."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bookshelf.cqrs.view import View
from bookshelf.storage import checkpoints, faults
from bookshelf.storage.port import StorageFault, TableSet, TableSetDropped
from bookshelf.storage.postgres import table_sets
from bookshelf.storage.postgres.database import PostgresDatabase
from bookshelf.storage.shared.database import Timeouts
from bookshelf.storage.shared.storage import SharedStorage
from bookshelf.storage.shared.tables import SetPlace, SharedTables

T = TypeVar("T")

#: SQLSTATEs of a server that will answer soon: it is starting, or has too many connections.
_BUSY = frozenset({"57P03", "53300"})


class PostgresStorage(SharedStorage[PostgresDatabase]):
    """The rows of all views in one PostgreSQL database."""

    @classmethod
    def _at(cls, url: str, patience: Timeouts) -> PostgresDatabase:
        return PostgresDatabase(url, patience)

    @classmethod
    def _look(
        cls,
        database: PostgresDatabase,  # noqa: ARG003 (the signature of both databases)
        db: Connection,
        of: tuple[str, str],
        read: Callable[[Connection], T],
    ) -> T | None:
        number = table_sets.newest_live(db, *of)
        if number is None:
            return None
        return read(db.execution_options(schema_translate_map={None: table_sets.schema(number)}))

    async def live(self, view: View, source: str) -> TableSet:
        """Open the live set of this version and log; the first instance creates it."""

        def choose(db: Connection) -> tuple[int, str]:
            table_sets.sweep(db, view, source, other_versions=True)
            existing = table_sets.live(db, view, source)
            return existing or _new(db, view, source, goes_live=True)

        return await self._opened(choose, view, source, live=True)

    async def beside(self, view: View, source: str) -> TableSet:
        """Create a new empty set beside the live one."""
        choose = partial(_new, view=view, source=source, goes_live=False)
        return await self._opened(choose, view, source, live=False)

    async def _opened(
        self, choose: Callable[[Connection], tuple[int, str]], view: View, source: str, *, live: bool
    ) -> SharedTables:
        """Choose a set and mark it as used in one transaction, so that it is not swept in between."""
        tables: SharedTables | None = None
        try:
            async with self._database.begin(self._database.writing) as db:
                await db.run_sync(table_sets.take_turn)
                number, name = await db.run_sync(choose)
                closed = partial(self._closed, view, source)
                tables = SharedTables(self._database, _place(number, name), closed)
                await tables.hold()
        except BaseException:
            if tables is not None:
                await tables.let_go()
            raise
        tables.live = live
        self._open.add(tables)
        return tables

    def _point(self, db: Connection, number: int) -> None:
        table_sets.take_turn(db)
        table_sets.point(db, number)

    async def _sweep(self, view: View, source: str) -> None:
        def sweep(db: Connection) -> None:
            table_sets.take_turn(db)
            table_sets.sweep(db, view, source, other_versions=False)

        await self._database.run(self._database.writing, sweep)

    def _answers_soon(self, fault: BaseException) -> bool:
        return faults.state(fault) in _BUSY

    def _prepare(self, db: Connection) -> None:
        if (encoding := db.scalar(text("SHOW server_encoding"))) != "UTF8":
            msg = f"the database is encoded in {encoding}; create one with ENCODING 'UTF8'"
            raise StorageFault(msg)
        if not db.scalar(text("SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'")):
            msg = "this PostgreSQL was built without ICU, which full-text search needs; use one with ICU"
            raise StorageFault(msg)
        table_sets.make(db)


def _place(number: int, name: str) -> SetPlace:
    async def hold(connection: AsyncConnection) -> None:
        if not await connection.scalar(table_sets.hold(number)):
            msg = f"the table set {number} is being dropped"
            raise TableSetDropped(msg)

    look = partial(table_sets.look, number=number)
    return SetPlace(number=number, name=name, schemas={None: table_sets.schema(number)}, look=look, hold=hold)


def _new(db: Connection, view: View, source: str, *, goes_live: bool) -> tuple[int, str]:
    number, name = table_sets.add(db, view, source, goes_live=goes_live)
    inside = db.execution_options(schema_translate_map={None: table_sets.schema(number)})
    view.tables.create_all(inside, checkfirst=False)
    checkpoints.begin(inside, source=source, version=str(view.version))
    return number, name
