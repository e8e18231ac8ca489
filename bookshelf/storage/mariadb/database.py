"""Connections to a MariaDB server, or to one node of a Galera cluster after the other."""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from asyncmy.errors import Error
from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bookshelf.storage.mariadb import faults as mariadb_faults
from bookshelf.storage.mariadb.address import MariaDbAddress, read_address
from bookshelf.storage.mariadb.nodes import NodeChoice
from bookshelf.storage.port import StorageFault
from bookshelf.storage.shared.database import ConnectionLost, SharedDatabase, Timeouts

T = TypeVar("T")

#: How often a transaction is repeated that another one was in the way of, and the longest pause before it.
_REPEATS, _PAUSE_S = 5, 0.02
#: Seconds that a transaction is under way before its node is asked whether it still answers.
_DOUBT_S = 0.5
#: Concatenation as elsewhere; wrong values are refused; an UPDATE reads the row as it was before.
_MODE = (
    "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO,"
    "PIPES_AS_CONCAT,SIMULTANEOUS_ASSIGNMENT"
)
#: Compares by code point; spaces at the end count.
COLLATION = "utf8mb4_nopad_bin"


class MariaDbDatabase(SharedDatabase):
    """The connection pools of one database; all are connected to one node, as long as that one answers."""

    program = "MariaDB"

    def __init__(self, url: str, patience: Timeouts) -> None:
        self.address: MariaDbAddress = read_address(url)
        self._nodes = NodeChoice(self.address, patience, _session(patience))
        super().__init__(patience)

    @property
    def node(self) -> tuple[str, int]:
        """Host and port of the node that is used now."""
        return self._nodes.node

    def _engine(self, **more: Any) -> AsyncEngine:  # noqa: ANN401 (an engine's options)
        engine = create_async_engine("mysql+asyncmy://", async_creator=self._nodes.connect, **more)
        event.listen(engine.sync_engine, "handle_error", _note_lost)
        return engine

    async def run(self, engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; repeat it if another transaction was in the way."""
        for _ in range(_REPEATS):
            try:
                return await self._once(engine, work)
            except StorageFault as fault:
                if fault.__cause__ is None or not mariadb_faults.is_conflict(fault.__cause__):
                    raise
            await asyncio.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 (parts those that were in the way)
        return await self._once(engine, work)

    async def _once(self, engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; leave a node that does not answer meanwhile."""
        if not self._nodes.several:
            return await super().run(engine, work)
        running = asyncio.create_task(super().run(engine, work))
        try:
            while not (await asyncio.wait({running}, timeout=_DOUBT_S))[0]:
                await self._nodes.leave_if_silent()
            return await running
        finally:
            running.cancel()

    def translated(self) -> AbstractContextManager[None]:
        """Raise errors of the database as `StorageFault` or `ConnectionLost`; all others pass unchanged."""
        return _translated()

    def missing(self, fault: BaseException) -> bool:
        """Return True if a table or a database does not exist."""
        return mariadb_faults.is_missing(fault)


def _session(patience: Timeouts) -> str:
    """Return the statement that every connection begins with."""
    session = {
        "idle_transaction_timeout": max(1, round(patience.hung_s)),
        # longer than a process that hangs keeps its locks
        "innodb_lock_wait_timeout": round(patience.hung_s) + 1,
        "max_statement_time": patience.work_s,
        "group_concat_max_len": 1 << 30,
        # digits of a mean, which is then rounded as elsewhere
        "div_precision_increment": 20,
    }
    values = ", ".join(f"{name} = {value}" for name, value in session.items())
    return f"SET NAMES utf8mb4 COLLATE {COLLATION}, sql_mode = '{_MODE}', {values}"


def _note_lost(context: ExceptionContext) -> None:
    """Let the pool drop its connections to a node that has lost the majority of its cluster."""
    if mariadb_faults.is_lost(context.original_exception):
        context.is_disconnect = True


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TimeoutError as fault:
        msg = "MariaDB gave no answer in time"
        raise StorageFault(msg) from fault
    except (SQLAlchemyError, OSError, Error) as fault:
        if isinstance(fault, SQLAlchemyError) and not mariadb_faults.of_storage(fault):
            raise  # an error of the statement's values
        kind = ConnectionLost if mariadb_faults.is_lost(fault) else StorageFault
        msg = f"MariaDB: {mariadb_faults.message_of(fault)}"
        raise kind(msg) from fault
