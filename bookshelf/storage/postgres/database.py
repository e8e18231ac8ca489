"""Connections to one PostgreSQL database: pools, time limits and the translation of their errors."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bookshelf.storage import faults
from bookshelf.storage.port import StorageFault
from bookshelf.storage.shared.database import ConnectionLost, SharedDatabase, Timeouts

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


class PostgresDatabase(SharedDatabase):
    """The connection pools of one PostgreSQL database."""

    program = "PostgreSQL"

    def __init__(self, url: str, patience: Timeouts) -> None:
        self._url = url
        self._session = {
            **_SESSION,
            "idle_in_transaction_session_timeout": f"{int(1000 * patience.hung_s)}",
            # longer than a process that hangs keeps its locks
            "lock_timeout": f"{int(1000 * patience.hung_s) + 1000}",
            "statement_timeout": f"{int(1000 * patience.work_s)}",
        }
        super().__init__(patience)
        self.reading = self.reading.execution_options(postgresql_readonly=True)

    def _engine(self, **more: Any) -> AsyncEngine:  # noqa: ANN401 (an engine's options)
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

    def translated(self) -> AbstractContextManager[None]:
        """Raise errors of the database as `StorageFault` or `ConnectionLost`; all others pass unchanged."""
        return translate_connection_errors()

    def missing(self, fault: BaseException) -> bool:
        """Return True if a table or a schema does not exist."""
        return faults.missing(fault)
