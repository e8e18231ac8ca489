"""One table set in a shared database. A transaction runs to its end, also if its caller is cancelled.

One connection for each table set in use marks the set as used and reads its status.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bookshelf.cqrs.errors import NotFound
from bookshelf.storage import faults
from bookshelf.storage.port import StorageFault, TableSetDropped, TableSetStatus
from bookshelf.storage.shared.database import ConnectionLost, SharedDatabase, within


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPlace:
    """Where a table set is: its number and name in the catalogue, and the schemas of its statements.

    `look` reads its status; `hold` marks it as used while a connection lasts, where sessions do that.
    Both raise `TableSetDropped`.
    """

    number: int
    name: str
    schemas: Mapping[str | None, str]
    look: Callable[[Connection], TableSetStatus]
    hold: Callable[[AsyncConnection], Awaitable[None]] | None = None


class TableSetWatch:
    """Reads the status of one set; concurrent callers share one query."""

    def __init__(self, database: SharedDatabase, place: SetPlace) -> None:
        self._database = database
        self._engine = within(database.asking, place.schemas)
        self._patience_s = database.patience.look_s
        self._place = place
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
        with self._database.translated():
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
            with self._database.translated():
                async with asyncio.timeout(self._patience_s):
                    db = await self._connected()
                    async with db.begin():
                        return await db.run_sync(self._place.look)
        except TableSetDropped:
            raise
        except BaseException as fault:
            await self._forget()
            if fault.__cause__ is not None and self._database.missing(fault.__cause__):
                raise TableSetDropped(str(fault)) from fault
            raise

    async def _connected(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = await self._engine.connect()
            if self._place.hold is not None:
                async with self._connection.begin():
                    await self._place.hold(self._connection)
        return self._connection

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with (
                contextlib.suppress(Exception),
                self._database.translated(),
            ):  # the connection is discarded, so errors of closing it do not matter
                await connection.close()


def _retrieved(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()


T = TypeVar("T")


class SharedTables:
    """A table set. `live`: as last seen by this process; the last process that uses a former set drops it."""

    def __init__(
        self,
        database: SharedDatabase,
        place: SetPlace,
        closed: "Callable[[SharedTables], Awaitable[None]]",
    ) -> None:
        self.number = place.number
        self.name = place.name
        self.schemas = place.schemas
        self.live = False
        self._database = database
        self._writing = within(database.writing, place.schemas)
        self._reading = within(database.reading, place.schemas)
        self._closed = closed
        self._lookout = TableSetWatch(database, place)
        self._under_way: set[asyncio.Task[object]] = set()

    async def hold(self) -> None:
        """Mark the set as used until it is closed. Raises `StorageFault`, `TableSetDropped`."""
        await self._lookout.hold()

    async def let_go(self) -> None:
        """Release the set, so that it is no longer marked as used."""
        await self._lookout.close()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction."""
        return await self._run(self._writing, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a snapshot; retry it once if the connection was lost."""
        try:
            try:
                return await self._run(self._reading, work)
            except ConnectionLost:
                return await self._run(self._reading, work)
        except DBAPIError as fault:  # of a value, like a NUL: a query has its values from the client
            msg = f"no row can hold the requested value: {faults.message_of(fault)}"
            raise NotFound(msg) from fault

    async def look(self) -> TableSetStatus:
        """Return the set's status. Raises `StorageFault`, `TableSetDropped`."""
        seen = await self._lookout.look()
        self.live = self.live and not seen.former
        return seen

    async def _run(self, engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
        task = asyncio.create_task(self._database.run(engine, work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        task.add_done_callback(_retrieved)
        try:
            return await asyncio.shield(task)  # the outcome of a cancelled commit would be unknown
        except StorageFault as fault:
            if fault.__cause__ is not None and self._database.missing(fault.__cause__):
                await self.look()  # raises TableSetDropped if the whole set was dropped
            raise

    async def index(self) -> None:
        """Do nothing: several instances fill a set, and may query it at any time, so it has its indexes."""

    async def close(self) -> None:
        """Wait for transactions under way, then release the set."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self.let_go()
        await self._closed(self)
