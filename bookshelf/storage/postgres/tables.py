"""One table set in PostgreSQL. A transaction runs to its end, also if its caller is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bookshelf.cqrs.errors import NotFound
from bookshelf.storage import faults
from bookshelf.storage.port import StorageFault, TableSetStatus
from bookshelf.storage.postgres import table_sets
from bookshelf.storage.postgres.database import ConnectionLost, Database, within
from bookshelf.storage.postgres.set_watch import TableSetWatch

T = TypeVar("T")


class PostgresTables:
    """A table set. `live`: as last seen by this process; the last process that uses a former set drops it."""

    def __init__(
        self,
        database: Database,
        number: int,
        name: str,
        closed: "Callable[[PostgresTables], Awaitable[None]]",
    ) -> None:
        self.number = number
        self.name = name
        self.live = False
        schema = table_sets.schema(number)
        self._database = database
        self._writing = within(database.writing, schema)
        self._reading = within(database.reading, schema)
        self._closed = closed
        self._lookout = TableSetWatch(database, number)
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
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)  # the outcome of a cancelled commit would be unknown
        except StorageFault as fault:
            if fault.__cause__ is not None and faults.missing(fault.__cause__):
                await self.look()  # raises TableSetDropped if the whole set was dropped
            raise

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()

    async def index(self) -> None:
        """Do nothing: several instances fill a set, and may query it at any time, so it has its indexes."""

    async def close(self) -> None:
        """Wait for transactions under way, then release the set."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self.let_go()
        await self._closed(self)
