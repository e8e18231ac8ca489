"""Connections to one PostgreSQL database, and what may happen to them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Connection, NullPool
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bookshelf.storage import faults
from bookshelf.storage.port import StorageFault

T = TypeVar("T")

#: Seconds for any transaction as a whole, and for making a connection.
DEADLINE_S = 10.0
_CONNECT_S = 5.0
_WRITERS, _READERS = 3, 4
#: Seconds that a process which hangs in the midst of a transaction keeps its locks: others wait for them.
HUNG_S = 5.0
_SESSION = {
    "application_name": "bookshelf",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # no fsync a commit: after a crash the rows may be older, and catch up from the log
    "synchronous_commit": "off",
    # these statements are short: compiling them would take longer than running them
    "jit": "off",
}


class Lost(StorageFault):
    """The connection was cut: what was under way did or did not happen; a new one may work at once."""


@contextmanager
def told() -> Iterator[None]:
    """Have the database's faults raised as `StorageFault`; all others pass."""
    try:
        yield
    except TimeoutError as fault:
        msg = f"PostgreSQL gave no answer within {DEADLINE_S:g} s"
        raise StorageFault(msg) from fault
    except (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        if isinstance(fault, SQLAlchemyError) and not faults.of_storage(fault):
            raise  # the fault of what was given
        kind = Lost if faults.lost(fault) else StorageFault
        msg = f"PostgreSQL: {faults.said(fault)}"
        raise kind(msg) from fault


class Database:
    """A database by its URL. Few connections write, few read: more would only wait in another place."""

    def __init__(self, url: str, hung_s: float) -> None:
        self._url = url
        self._session = {
            **_SESSION,
            "idle_in_transaction_session_timeout": f"{int(1000 * hung_s)}",
            # longer than the one who hangs is let to
            "lock_timeout": f"{int(1000 * hung_s) + 1000}",
            "statement_timeout": f"{int(1000 * DEADLINE_S)}",
        }
        self.writing = self._engine(pool_size=_WRITERS, isolation_level="READ COMMITTED")
        self.reading = self._engine(pool_size=_READERS, isolation_level="REPEATABLE READ").execution_options(
            postgresql_readonly=True
        )
        #: Connections of their own, for what lasts.
        self.asking = self._engine(poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def _engine(self, **more: Any) -> AsyncEngine:  # noqa: ANN401 (an engine's options)
        if "pool_size" in more:
            more = {**more, "max_overflow": 0, "pool_timeout": DEADLINE_S}
        return create_async_engine("postgresql+asyncpg://", async_creator=self._connect, **more)

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        try:
            return await asyncpg.connect(
                self._url, timeout=_CONNECT_S, command_timeout=DEADLINE_S, server_settings=self._session
            )
        except (ValueError, asyncpg.ClientConfigurationError) as fault:
            # the fault may quote a piece of the password
            msg = "the setting `storage` is no address like postgresql://user:password@host/database"
            raise StorageFault(msg) from fault

    async def run(self, engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction, under a deadline. Raises `StorageFault`, or what `work` raises."""
        async with begin(engine) as db:
            return await db.run_sync(work)

    async def close(self) -> None:
        """Close every connection."""
        for engine in (self.writing, self.reading, self.asking):
            await engine.dispose()


@asynccontextmanager
async def begin(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Begin a transaction that is committed at the end of the block. Raises `StorageFault`."""
    with told():
        async with asyncio.timeout(DEADLINE_S), engine.begin() as db:
            yield db


def within(engine: AsyncEngine, schema: str) -> AsyncEngine:
    """Return the same connections, for tables in this schema."""
    mapped: Mapping[str | None, str] = {None: schema}
    return engine.execution_options(schema_translate_map=mapped)
