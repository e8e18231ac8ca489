"""Connections to one database that many instances share: pools, time limits and deadlines."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bookshelf.storage.port import StorageFault

T = TypeVar("T")

_WRITERS, _READERS = 3, 4


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


class SharedDatabase(ABC):
    """The connection pools of one database. They are small: more connections would wait in the database."""

    #: The name of the database's program, for messages.
    program = ""

    def __init__(self, patience: Timeouts) -> None:
        self.patience = patience
        self.writing = self._pool(_WRITERS, "READ COMMITTED")
        self.reading = self._pool(_READERS, "REPEATABLE READ")
        #: Connections outside the pools, each held as long as its table set is in use.
        self.asking = self._engine(poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def _pool(self, size: int, isolation_level: str) -> AsyncEngine:
        wait_s = self.patience.work_s
        return self._engine(
            pool_size=size, max_overflow=0, pool_timeout=wait_s, isolation_level=isolation_level
        )

    @abstractmethod
    def _engine(self, **more: Any) -> AsyncEngine:  # noqa: ANN401 (an engine's options)
        """Return an engine with these options."""

    @abstractmethod
    def translated(self) -> AbstractContextManager[None]:
        """Raise errors of the database as `StorageFault` or `ConnectionLost`; all others pass unchanged."""

    @abstractmethod
    def missing(self, fault: BaseException) -> bool:
        """Return True if a table or a schema does not exist."""

    async def run(self, engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction, under a deadline. Raises `StorageFault`, or what `work` raises."""
        async with self.begin(engine) as db:
            return await db.run_sync(work)

    @asynccontextmanager
    async def begin(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that is committed at the end of the block. Raises `StorageFault`."""
        with self.translated():
            async with asyncio.timeout(self.patience.work_s), engine.begin() as db:
                yield db

    async def close(self) -> None:
        """Close every connection."""
        for engine in (self.writing, self.reading, self.asking):
            await engine.dispose()


def within(engine: AsyncEngine, schemas: Mapping[str | None, str]) -> AsyncEngine:
    """Return an engine with the same connections for the tables of these schemas."""
    return engine.execution_options(schema_translate_map=schemas)
