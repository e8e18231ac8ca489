"""Instances of a view's service: each with connections of its own to the one database that they share."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from support.counter_context import VIEW, counted, written
from support.postgres import Server
from support.views import Views

from bookshelf.cqrs.view import View
from bookshelf.log.in_process import GroupMembership
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Change, Log
from bookshelf.runtime.view.host import ViewHost
from bookshelf.storage.postgres.storage import PostgresStorage
from bookshelf.storage.shared.database import Timeouts

PARTITIONS = 4
EVERY = frozenset(range(PARTITIONS))
DEADLINE_S = 30


class Zombies(MemoryLog):
    """A log whose groups give every partition to every member: none knows that it was put out."""

    async def join(self, group: str, topic: str, assigned: Change, revoked: Change) -> GroupMembership:
        return await super().join(f"{group}-{id(assigned)}", topic, assigned, revoked)


class Shared:
    """One database, and the instances that use it."""

    def __init__(self, server: Server, name: str, log: Log) -> None:
        self.server = server
        self.name = name
        self.log = log

    @property
    def url(self) -> str:
        """Where the instances find it."""
        return self.server.url(self.name)

    @asynccontextmanager
    async def storage(
        self, patience: Timeouts | None = None, url: str | None = None
    ) -> AsyncIterator[PostgresStorage]:
        """Open it as one process does."""
        made = await PostgresStorage.open(url or self.url, DEADLINE_S, patience or Timeouts())
        try:
            yield made
        finally:
            await made.close()

    @asynccontextmanager
    async def instance(self, view: View = VIEW, patience_s: float = DEADLINE_S) -> AsyncIterator[ViewHost]:
        """Run one instance."""
        async with self.storage() as storage, Views(self.log, storage, patience_s) as views:
            yield await views.host(view)

    async def write(self, turns: int) -> None:
        """Write some records, turn by turn, to every partition."""
        for n in range(turns):
            part = n % PARTITIONS
            await written(self.log, *(counted(f"{key}{part}", n) for key in "abcdefgh"), partition=part)

    async def schemas(self) -> list[str]:
        """Return the names of the schemas that hold table sets."""
        async with self.server.admin(self.name) as admin:
            found = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'bookshelf\\_%' ORDER BY nspname"
            return [row["nspname"] for row in await admin.fetch(found)]

    async def cut(self) -> int:
        """End every connection of the instances, in whatever they are; return how many there were."""
        async with self.server.admin(self.name) as admin:
            ended = (
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'bookshelf'"
            )
            count: int = await admin.fetchval(ended)
            return count


async def until(condition: Callable[[], bool], hosts: Sequence[ViewHost], what: str) -> None:
    """Return once the condition holds; it is looked at whenever the rows of a host may have moved."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.gather(*(host.rows.news() for host in hosts))
    except TimeoutError:
        raise AssertionError(f"it did not come to pass within {DEADLINE_S} s that {what}") from None


async def split(*hosts: ViewHost) -> None:
    """Wait until the hosts have one set, and each partition of it is followed by one of them."""

    def shares() -> bool:
        followed = [partition for host in hosts for partition in host.rows.followed]
        names = {host.rows.tables.name for host in hosts}
        return len(names) == 1 and sorted(followed) == sorted(EVERY)

    await until(shares, hosts, "the hosts divide the partitions")
