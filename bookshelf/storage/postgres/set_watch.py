"""One connection for each table set in use: marks the set as used and reads its status."""

import asyncio
import contextlib

from sqlalchemy.ext.asyncio import AsyncConnection

from bookshelf.storage import faults
from bookshelf.storage.port import TableSetDropped, TableSetStatus
from bookshelf.storage.postgres import table_sets
from bookshelf.storage.postgres.database import ConnectionLost, Database, translate_connection_errors, within


class TableSetWatch:
    """Reads the status of one set; concurrent callers share one query."""

    def __init__(self, database: Database, number: int) -> None:
        self._engine = within(database.asking, table_sets.schema(number))
        self._patience_s = database.patience.look_s
        self._number = number
        self._turn = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._next: asyncio.Task[TableSetStatus] | None = None

    async def look(self) -> TableSetStatus:
        """Return the status, read after this call began. Raises `StorageFault`, `TableSetDropped`."""
        if self._next is None:
            self._next = asyncio.create_task(self._look())
            self._next.add_done_callback(_retrieved)
        return await asyncio.shield(self._next)

    async def hold(self) -> None:
        """Mark the set as used. Raises `StorageFault`, `TableSetDropped`."""
        with translate_connection_errors():
            async with self._turn, asyncio.timeout(self._patience_s):
                await self._connected()

    async def close(self) -> None:
        """Release the set and close the connection."""
        if self._next is not None:
            await asyncio.wait({self._next})
        async with self._turn:
            await self._forget()

    async def _look(self) -> TableSetStatus:
        async with self._turn:
            self._next = None  # later callers need a newer status
            try:
                return await self._once()
            except ConnectionLost:
                return await self._once()

    async def _once(self) -> TableSetStatus:
        try:
            with translate_connection_errors():
                async with asyncio.timeout(self._patience_s):
                    db = await self._connected()
                    async with db.begin():
                        return await db.run_sync(table_sets.look, self._number)
        except TableSetDropped:
            raise
        except BaseException as fault:
            await self._forget()
            if fault.__cause__ is not None and faults.missing(fault.__cause__):
                raise TableSetDropped(str(fault)) from fault
            raise

    async def _connected(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = await self._engine.connect()
            async with self._connection.begin():
                held = await self._connection.scalar(table_sets.hold(self._number))
            if not held:
                msg = f"the table set {self._number} is being dropped"
                raise TableSetDropped(msg)
        return self._connection

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with (
                contextlib.suppress(Exception),
                translate_connection_errors(),
            ):  # the connection is discarded, so errors of closing it do not matter
                await connection.close()


def _retrieved(task: "asyncio.Task[TableSetStatus]") -> None:
    if not task.cancelled():
        task.exception()
