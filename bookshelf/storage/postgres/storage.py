"""Table sets in a PostgreSQL database: one schema for each, and a catalogue with the live ones."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Self

import structlog
from sqlalchemy import Connection, text

from bookshelf.cqrs.view import View
from bookshelf.storage import checkpoints, faults
from bookshelf.storage.port import StorageFault, TableSet
from bookshelf.storage.postgres import table_sets
from bookshelf.storage.postgres.database import ConnectionLost, Database, Timeouts
from bookshelf.storage.postgres.tables import PostgresTables

_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 5.0
#: SQLSTATEs of a server that will answer soon: it is starting, or has too many connections.
_BUSY = frozenset({"57P03", "53300"})
_PATIENCE = Timeouts()
_logger = structlog.get_logger(__name__)


class PostgresStorage:
    """The rows of all views in one database, which other instances use too."""

    shared = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: set[PostgresTables] = set()

    @classmethod
    async def open(cls, url: str, wait_s: float = 60.0, patience: Timeouts = _PATIENCE) -> Self:
        """Wait up to `wait_s` for the database and create its catalogue. Raises `StorageFault`."""
        database = Database(url, patience)
        try:
            async with asyncio.timeout(wait_s) as deadline:
                await _prepared(database)
        except BaseException as fault:
            await database.close()
            if deadline.expired():
                msg = f"no PostgreSQL answers at the address of the setting `storage` within {wait_s:g} s"
                raise StorageFault(msg) from fault
            raise
        return cls(database)

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
    ) -> PostgresTables:
        """Choose a set and mark it as used in one transaction, so that it is not swept in between."""
        tables: PostgresTables | None = None
        try:
            async with self._database.begin(self._database.writing) as db:
                await db.run_sync(table_sets.take_turn)
                number, name = await db.run_sync(choose)
                closed = partial(self._closed, view, source)
                tables = PostgresTables(self._database, number, name, closed)
                await tables.hold()
        except BaseException:
            if tables is not None:
                await tables.let_go()
            raise
        tables.live = live
        self._open.add(tables)
        return tables

    async def swap(self, view: View, former: TableSet, new: TableSet) -> None:  # noqa: ARG002 (the port's)
        """Make the new set live; the last process to use the former one drops it. Raises `StorageFault`."""
        assert isinstance(former, PostgresTables)  # noqa: S101 (only its own sets come back to a storage)
        assert isinstance(new, PostgresTables)  # noqa: S101 (as above)
        number = new.number

        def point(db: Connection) -> None:
            table_sets.take_turn(db)
            table_sets.point(db, number)

        try:
            await self._database.run(self._database.writing, point)
            former.live, new.live = False, True
        finally:
            await former.close()

    async def _closed(self, view: View, source: str, tables: PostgresTables) -> None:
        self._open.discard(tables)
        if not tables.live:
            await self._sweep(view, source)

    async def _sweep(self, view: View, source: str) -> None:
        """Drop the unused sets of this view and log."""

        def sweep(db: Connection) -> None:
            table_sets.take_turn(db)
            table_sets.sweep(db, view, source, other_versions=False)

        try:
            await self._database.run(self._database.writing, sweep)
        except StorageFault as fault:  # another process drops them, at its next start at the latest
            _logger.warning("table-set-left", view=view.name, why=str(fault))

    async def close(self) -> None:
        """Release all sets and close every connection."""
        for tables in self._open:
            await tables.let_go()
        await self._database.close()


def _new(db: Connection, view: View, source: str, *, goes_live: bool) -> tuple[int, str]:
    number, name = table_sets.add(db, view, source, goes_live=goes_live)
    inside = db.execution_options(schema_translate_map={None: table_sets.schema(number)})
    view.tables.create_all(inside, checkfirst=False)
    checkpoints.begin(inside, source=source, version=str(view.version))
    return number, name


async def _prepared(database: Database) -> None:
    """Wait until the database answers and is prepared. Raises `StorageFault` if it is unsuitable."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            await database.run(database.writing, _prepare)
        except StorageFault as fault:
            if not _may_come(fault):
                raise
            _logger.warning("waiting-for-postgresql", why=str(fault), again_in_s=pause_s)
        else:
            return
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LAST_PAUSE_S)


def _may_come(fault: StorageFault) -> bool:
    cause = fault.__cause__
    return (
        isinstance(fault, ConnectionLost)
        or isinstance(cause, TimeoutError)
        or faults.state(cause or fault) in _BUSY
    )


def _prepare(db: Connection) -> None:
    if (encoding := db.scalar(text("SHOW server_encoding"))) != "UTF8":
        msg = f"the database is encoded in {encoding}; create one with ENCODING 'UTF8'"
        raise StorageFault(msg)
    if not db.scalar(text("SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'")):
        msg = "this PostgreSQL was built without ICU, which full-text search needs; use one with ICU"
        raise StorageFault(msg)
    table_sets.make(db)
