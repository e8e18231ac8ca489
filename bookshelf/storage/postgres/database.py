"""Connections to one PostgreSQL database: pools, time limits and the translation of their errors."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Connection, NullPool
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bookshelf.storage import faults
from bookshelf.storage.port import StorageFault

T = TypeVar("T")

_WRITERS, _READERS = 3, 4
_SESSION = {
    "application_name": "bookshelf",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # no fsync for each commit: rows that are older after a crash catch up from the log
    "synchronous_commit": "off",
    # these statements are short: compiling them would take longer than running them
    "jit": "off",
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time limits in seconds: for connecting, for reading a status, and for a whole transaction.

    `hung_s`: after this time the database ends the session of a process that hangs in a transaction, so that
    others get its locks.
    """

    connect_s: float = 5.0
    look_s: float = 5.0
    work_s: float = 10.0
    hung_s: float = 5.0


class ConnectionLost(StorageFault):
    """The connection was lost: the outcome of its statement is unknown; a new connection may work at once."""


@contextmanager
def translate_connection_errors() -> Iterator[None]:
    """Raise errors of the database as `StorageFault` or `ConnectionLost`; all others pass unchanged."""
    try:
        yield
    except TimeoutError as fault:
        msg = "PostgreSQL gave no answer in time"
        raise StorageFault(msg) from fault
    except (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        if isinstance(fault, SQLAlchemyError) and not faults.of_storage(fault):
            raise  # an error of the statement's values
        kind = ConnectionLost if faults.lost(fault) else StorageFault
        msg = f"PostgreSQL: {faults.message_of(fault)}"
        raise kind(msg) from fault


class Database:
    """The connection pools of one database. They are small: more connections would wait in the database."""

    def __init__(self, url: str, patience: Timeouts) -> None:
        self._url = url
        self.patience = patience
        self._session = {
            **_SESSION,
            "idle_in_transaction_session_timeout": f"{int(1000 * patience.hung_s)}",
            # longer than a process that hangs keeps its locks
            "lock_timeout": f"{int(1000 * patience.hung_s) + 1000}",
            "statement_timeout": f"{int(1000 * patience.work_s)}",
        }
        self.writing = self._engine(pool_size=_WRITERS, isolation_level="READ COMMITTED")
        self.reading = self._engine(pool_size=_READERS, isolation_level="REPEATABLE READ").execution_options(
            postgresql_readonly=True
        )
        #: Connections outside the pools, each held as long as its table set is in use.
        self.asking = self._engine(poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def _engine(self, **more: Any) -> AsyncEngine:  # noqa: ANN401 (an engine's options)
        if "pool_size" in more:
            more = {**more, "max_overflow": 0, "pool_timeout": self.patience.work_s}
        return create_async_engine("postgresql+asyncpg://", async_creator=self._connect, **more)

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        try:
            return await asyncpg.connect(
                self._url, timeout=self.patience.connect_s, server_settings=self._session
            )
        except (ValueError, asyncpg.ClientConfigurationError) as fault:
            # not quoted: the fault may have a part of the password
            msg = "the setting `storage` is no address like postgresql://user:password@host/database"
            raise StorageFault(msg) from fault

    async def run(self, engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction, under a deadline. Raises `StorageFault`, or what `work` raises."""
        async with self.begin(engine) as db:
            return await db.run_sync(work)

    @asynccontextmanager
    async def begin(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that is committed at the end of the block. Raises `StorageFault`."""
        with translate_connection_errors():
            async with asyncio.timeout(self.patience.work_s), engine.begin() as db:
                yield db

    async def close(self) -> None:
        """Close every connection."""
        for engine in (self.writing, self.reading, self.asking):
            await engine.dispose()


def within(engine: AsyncEngine, schema: str) -> AsyncEngine:
    """Return an engine with the same connections for the tables of this schema."""
    mapped: Mapping[str | None, str] = {None: schema}
    return engine.execution_options(schema_translate_map=mapped)
