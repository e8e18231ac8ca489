"""One table set in a SQLite file: an engine for writing, one for reading, and the threads that run them.

Up to 8 concurrent reads share one thread hop and one transaction, each dearer than a query. The indexes of a
new table set are created after its rows, as sorting all at once is faster than inserting; unique indexes are
created with the tables, because statements of handlers may depend on them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from bookshelf.cqrs.view import View
from bookshelf.storage import checkpoints
from bookshelf.storage.faults import translate_errors
from bookshelf.storage.port import TableSetStatus

#: Reads in one batch: at most this many wait for a slow one.
_MOST = 8
#: Batches that run at the same time.
_TURNS = 2

Work = Callable[[Connection], Any]
Outcome = tuple[Any, BaseException | None]


class _Read(NamedTuple):
    work: Work
    answer: "asyncio.Future[Any]"


class ReadBatcher:
    """Runs reads of an engine in an executor's threads. A snapshot is never older than any of its reads."""

    def __init__(self, executor: Executor, on: Engine) -> None:
        self._executor = executor
        self._on = on
        self._waiting: deque[_Read] = deque()
        self._turns = 0

    async def run(self, work: Work) -> Any:  # noqa: ANN401 (whatever the work returns)
        """Run `work` in a batch and return its result. Raises `StorageFault`, or what `work` raises."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Read(work, answer))
        self._begin()
        return await answer

    def _begin(self) -> None:
        while self._waiting and self._turns < _TURNS:
            reads = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
            works = [read.work for read in reads]
            self._turns += 1
            turn = asyncio.get_running_loop().run_in_executor(
                self._executor, _on_one_snapshot, self._on, works
            )
            turn.add_done_callback(lambda done, reads=reads: self._ended(reads, done))  # type: ignore[misc]

    def _ended(self, reads: Sequence[_Read], turn: "asyncio.Future[list[Outcome]]") -> None:
        self._turns -= 1
        fault = asyncio.CancelledError() if turn.cancelled() else turn.exception()
        outcomes = [(None, fault)] * len(reads) if fault is not None else turn.result()
        for read, (result, failed) in zip(reads, outcomes, strict=True):
            if read.answer.done():  # the caller was cancelled
                continue
            if failed is None:
                read.answer.set_result(result)
            else:
                read.answer.set_exception(failed)
        self._begin()


def _on_one_snapshot(on: Engine, works: Sequence[Work]) -> list[Outcome]:
    with translate_errors(), on.begin() as db:
        return [_outcome(db, work) for work in works]


def _outcome(db: Connection, work: Work) -> Outcome:
    try:
        with translate_errors():
            return work(db), None
    except Exception as fault:  # noqa: BLE001 (raised to the caller of this read alone)
        return None, fault


_FULLTEXT = "SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5(%'"
_DEFERRED = f"""
    CREATE TABLE bookshelf_deferred AS SELECT type, name, sql FROM sqlite_master
    WHERE (type = 'index' AND sql NOT LIKE 'CREATE UNIQUE %')
    OR (type = 'trigger' AND tbl_name || '_words' IN ({_FULLTEXT}))
"""  # noqa: S608 (names of our own)


def defer_indexes(db: Connection) -> None:
    """Drop the indexes of empty tables and the triggers of their full-text indexes; keep the definitions."""
    db.exec_driver_sql(_DEFERRED)
    for kind, name in db.exec_driver_sql("SELECT type, name FROM bookshelf_deferred").all():
        db.exec_driver_sql(f"DROP {kind} {name}")


def create_indexes(db: Connection) -> None:
    """Create the indexes that were dropped, if there are any, and fill the full-text indexes."""
    kept = "SELECT 1 FROM sqlite_master WHERE name = 'bookshelf_deferred'"
    if db.exec_driver_sql(kept).first() is None:
        return
    for (definition,) in db.exec_driver_sql("SELECT sql FROM bookshelf_deferred").all():
        db.exec_driver_sql(definition)
    for (name,) in db.exec_driver_sql(_FULLTEXT).all():
        db.exec_driver_sql(f"INSERT INTO {name}({name}) VALUES ('rebuild')")  # noqa: S608 (see above)
    db.exec_driver_sql("DROP TABLE bookshelf_deferred")


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
            view.tables.create_all(db, checkfirst=False)
            defer_indexes(db)
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
        await self.write(create_indexes)
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
