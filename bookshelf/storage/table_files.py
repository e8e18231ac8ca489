"""One table set in a SQLite file: an engine for writing, one for reading, and the threads that run them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from bookshelf.cqrs.view import View
from bookshelf.storage import checkpoints, deferred_indexes
from bookshelf.storage.faults import translate_errors
from bookshelf.storage.port import TableSetStatus
from bookshelf.storage.read_batcher import ReadBatcher

T = TypeVar("T")


class SqliteTables:
    """A table set in one file. Without executors, work runs in the caller's thread, for simulations."""

    def __init__(self, path: Path, writer: Executor | None, reader: Executor | None) -> None:
        self.path = path
        self._writer = writer
        self._writing = engine(path, "BEGIN IMMEDIATE", pool_size=1)
        self._reading = engine(path, "BEGIN", pool_size=4)
        self._reads = None if reader is None else ReadBatcher(reader, self._reading)
        self._busy = 0
        self._idle = asyncio.Event()
        self._is_indexed = False

    def create(self, view: View, source: str) -> None:
        """Create the view's tables and those of checkpoints, and note the log and version of the rows.

        The indexes of the view are created once it has caught up.
        """
        with self._writing.begin() as db:
            view.tables.create_all(db)
            deferred_indexes.defer(db)
            checkpoints.begin(db, source=source, version=str(view.version))

    def descends_from(self, view: View, source: str) -> bool:
        """Return True if the rows derive from this log and this version of the view."""
        with self._writing.begin() as db:
            if not checkpoints.descends(db, source=source, version=str(view.version)):
                return False
            checkpoints.upgrade(db)
            return True

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction."""
        async with self._at_work():
            if self._writer is None:
                return _transact(self._writing, work)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._writer, _transact, self._writing, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a snapshot, maybe together with other reads."""
        async with self._at_work():
            if self._reads is None:
                return _transact(self._reading, work)
            result: T = await self._reads.run(work)
            return result

    async def index(self) -> None:
        """Create the indexes that were deferred until now, if any. Raises `StorageFault`."""
        if self._is_indexed:
            return
        await self.write(deferred_indexes.create)
        self._is_indexed = True

    async def look(self) -> TableSetStatus:
        """Return the set's status. Raises `StorageFault`."""
        return await self.read(checkpoints.look)

    @asynccontextmanager
    async def _at_work(self) -> AsyncIterator[None]:
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._idle.set()

    async def close(self) -> None:
        """Wait for transactions under way, then close the file."""
        while self._busy:
            self._idle.clear()
            await self._idle.wait()
        await asyncio.to_thread(self.dispose)

    def dispose(self) -> None:
        """Close the connections."""
        self._reading.dispose()
        self._writing.dispose()


def _transact(on: Engine, work: Callable[[Connection], T]) -> T:
    with translate_errors(), on.begin() as db:
        return work(db)


def engine(path: Path, begin: str, pool_size: int) -> Engine:
    """Create an engine on the file that begins its transactions with `begin`, not when the driver would."""
    made = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": 5, "isolation_level": None},
    )

    @event.listens_for(made, "connect")
    def _(connection: Any, _record: Any) -> None:  # noqa: ANN401 (the driver's own)
        connection.execute("PRAGMA journal_mode = WAL")
        # no fsync for each commit: rows that are older after a power cut catch up from the log
        connection.execute("PRAGMA synchronous = NORMAL")
        # a checkpoint needs two fsyncs, which delay the batch's transaction: after 16 MiB, not 4
        connection.execute("PRAGMA wal_autocheckpoint = 4000")

    @event.listens_for(made, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return made
