"""Connections to a MariaDB server, or to one node of a Galera cluster after the other."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import asyncmy
from asyncmy.constants import CLIENT, FIELD_TYPE
from asyncmy.converters import conversions
from asyncmy.errors import Error
from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bookshelf.storage.mariadb import faults as mariadb_faults
from bookshelf.storage.mariadb.address import MariaDbAddress, read_address
from bookshelf.storage.port import StorageFault
from bookshelf.storage.shared.database import ConnectionLost, SharedDatabase, Timeouts

T = TypeVar("T")

# it logs each note of the server, as that a database to drop does not exist
logging.getLogger("asyncmy").setLevel(logging.ERROR)

#: How often a transaction is repeated that another one was in the way of, and the longest pause before it.
_REPEATS, _PAUSE_S = 5, 0.02
#: Concatenation as elsewhere; wrong values are refused; an UPDATE reads the row as it was before.
_MODE = (
    "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO,"
    "PIPES_AS_CONCAT,SIMULTANEOUS_ASSIGNMENT"
)
#: Compares by code point; spaces at the end count.
COLLATION = "utf8mb4_nopad_bin"
#: The state of a node that has all rows of its cluster.
_SYNCED = "4"


def _number(text: str | bytes) -> int | float:
    """Return a decimal as the number that SQLite has: sums of integers are integers."""
    read = text.decode() if isinstance(text, bytes) else text
    return float(read) if "." in read else int(read)


_CONVERSIONS = {**conversions, FIELD_TYPE.DECIMAL: _number, FIELD_TYPE.NEWDECIMAL: _number}


class MariaDbDatabase(SharedDatabase):
    """The connection pools of one database; all are connected to one node, as long as that one answers."""

    program = "MariaDB"

    def __init__(self, url: str, patience: Timeouts) -> None:
        self.address: MariaDbAddress = read_address(url)
        self._at = random.randrange(len(self.address.hosts))  # noqa: S311 (spreads instances over the nodes)
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
        self._session = f"SET NAMES utf8mb4 COLLATE {COLLATION}, sql_mode = '{_MODE}', {values}"
        super().__init__(patience)

    def _engine(self, **more: Any) -> AsyncEngine:  # noqa: ANN401 (an engine's options)
        engine = create_async_engine("mysql+asyncmy://", async_creator=self._connect, **more)
        event.listen(engine.sync_engine, "handle_error", _note_lost)
        return engine

    async def _connect(self) -> Any:  # noqa: ANN401 (the driver is untyped)
        """Connect to the node used last, else to the next one that is ready."""
        fault: BaseException | None = None
        for _ in self.address.hosts:
            try:
                return await self._connect_to(*self.address.hosts[self._at])
            except (Error, OSError, TimeoutError) as found:
                fault = found if fault is None else fault
                self._next_node()
        assert fault is not None  # noqa: S101 (there is a host)
        raise fault

    def _next_node(self) -> None:
        self._at = (self._at + 1) % len(self.address.hosts)

    async def _connect_to(self, host: str, port: int) -> Any:  # noqa: ANN401 (as above)
        async with asyncio.timeout(self.patience.connect_s):
            connection = await asyncmy.connect(
                host=host,
                port=port,
                database="information_schema",  # statements name the databases of their tables
                user=self.address.user,
                password=self.address.password,
                charset="utf8mb4",
                client_flag=CLIENT.FOUND_ROWS,
                conv=_CONVERSIONS,
                init_command=self._session,
                connect_timeout=self.patience.connect_s,
            )
            try:
                async with connection.cursor() as cursor:
                    await cursor.execute(
                        "SHOW STATUS WHERE variable_name IN ('wsrep_ready', 'wsrep_local_state')"
                    )
                    status = dict(await cursor.fetchall())
            except BaseException:
                connection.close()
                raise
        # a server without Galera has no state, and a node without a cluster is not ready
        if status.get("wsrep_local_state", "0") not in {_SYNCED, "0"}:
            connection.close()
            msg = f"the node at {host}:{port} is not synchronised with its cluster"
            raise ConnectionRefusedError(msg)
        return connection

    async def run(self, engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; repeat it if another transaction was in the way."""
        for _ in range(_REPEATS):
            try:
                return await super().run(engine, work)
            except StorageFault as fault:
                if isinstance(fault.__cause__, TimeoutError):
                    await self._leave_node()
                if fault.__cause__ is None or not mariadb_faults.is_conflict(fault.__cause__):
                    raise
            await asyncio.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 (parts those that were in the way)
        return await super().run(engine, work)

    async def _leave_node(self) -> None:
        """Connect to the next node from now on: this one gives no answer, and breaks no connection."""
        if len(self.address.hosts) > 1:
            self._next_node()
            for engine in (self.writing, self.reading):
                await engine.dispose(close=False)

    def translated(self) -> AbstractContextManager[None]:
        """Raise errors of the database as `StorageFault` or `ConnectionLost`; all others pass unchanged."""
        return _translated()

    def missing(self, fault: BaseException) -> bool:
        """Return True if a table or a database does not exist."""
        return mariadb_faults.is_missing(fault)


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
