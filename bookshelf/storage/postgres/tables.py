"""One schema of a view's rows. Transactions that have begun go on to their end, also when no one waits."""

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
    """A table set. `live` is what is known of it here: a set that is not is dropped by who uses it last."""

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
        """Mark the set as used, until it is closed. Raises `StorageFault`, `Gone`."""
        await self._lookout.hold()

    async def let_go(self) -> None:
        """Use the set no more."""
        await self._lookout.close()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction."""
        return await self._run(self._writing, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a snapshot; once more if the connection was cut."""
        try:
            try:
                return await self._run(self._reading, work)
            except ConnectionLost:
                return await self._run(self._reading, work)
        except DBAPIError as fault:  # of what was given, like a NUL: a query has it from who asks
            msg = f"no row can hold what is asked for: {faults.message_of(fault)}"
            raise NotFound(msg) from fault

    async def look(self) -> TableSetStatus:
        """Return how the set stands."""
        seen = await self._lookout.look()
        self.live = self.live and not seen.former
        return seen

    async def _run(self, engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
        task = asyncio.create_task(self._database.run(engine, work))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)  # a cancelled commit would be an unknown one
        except StorageFault as fault:
            if fault.__cause__ is not None and faults.missing(fault.__cause__):
                await self.look()  # it knows whether the whole set is gone
            raise

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()

    async def close(self) -> None:
        """Wait for work under way, then use the set no more."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self.let_go()
        await self._closed(self)
