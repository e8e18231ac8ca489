"""Hosts of aggregates over one log, and clients that ask them."""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Self

from support.counter_context import TALLY, Count
from support.fixed_infrastructure import NOW, CountedIds, FixedClock, offset, owner_meters

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.message import Command
from bookshelf.log.port import Log
from bookshelf.runtime.aggregate.command import CommandRequest, NotOwner
from bookshelf.runtime.aggregate.context import OwnerDependencies
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.state_store import MemoryStateStore, SqliteStateStore, StateStore

MakeStore = Callable[[str], StateStore]
DEADLINE_S = 30


def sent(subject: str, command: Command | None = None, **fields: Any) -> CommandRequest:  # noqa: ANN401 (Sent's fields)
    """A command on its way: by default a Count, under an id of its own."""
    fields.setdefault("id", CountedIds().new())
    return CommandRequest(subject=subject, command=command or Count(), at=NOW, **fields)


def keyed(subject: str, key: str, by: int = 1) -> CommandRequest:
    """A Count with a key that the client chose; its content's hash is what it counts."""
    return sent(subject, Count(by=by), id=key, hash=f"by-{by}")


def new_stores(_name: str) -> StateStore:
    """A store that is empty at every start."""
    return MemoryStateStore()


def sqlite_stores(folder: Path) -> MakeStore:
    """Stores in files, which the next start finds again."""
    return lambda name: SqliteStateStore(folder / f"{name}.sqlite")


class Owners:
    """One process's hosts: what they have for states, and that all of them stop."""

    def __init__(
        self,
        log: Log,
        stores: MakeStore = new_stores,
        executor: Executor | None = None,
        capacity: int = 20_000,
        append_s: float = 10.0,
        clock: FixedClock | None = None,
    ) -> None:
        self.log = log
        self._stores = stores
        self._executor = executor
        self._capacity = capacity
        self._append_s = append_s
        self.clock = clock or FixedClock()
        self._hosts: list[AggregateHost] = []
        self.states: list[StateCache] = []
        #: Not set while a rollout pauses the service.
        self.resumed = asyncio.Event()
        self.resumed.set()

    def make(self, aggregate: Aggregate[Any] = TALLY) -> AggregateHost:
        """Return a host that has not started."""

        def states(aggregate: Aggregate[Any], partition: int) -> StateCache:
            store = self._stores(f"{aggregate.name}-{partition}")
            self.states.append(StateCache(aggregate, store, self._executor, self._capacity))
            return self.states[-1]

        means = OwnerDependencies(
            *(self.log, CountedIds(), self.clock, owner_meters(), self._append_s), resumed=self.resumed
        )
        host = AggregateHost(aggregate, means, states)
        self._hosts.append(host)
        return host

    async def host(self, aggregate: Aggregate[Any] = TALLY) -> AggregateHost:
        """Return a host that has started."""
        host = self.make(aggregate)
        async with asyncio.timeout(DEADLINE_S):
            await host.start()
        return host

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *fault: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop every host."""
        async with asyncio.timeout(DEADLINE_S):
            for host in self._hosts:
                await host.stop()
        self._hosts.clear()


async def ask(host: AggregateHost, one: CommandRequest) -> CommandResult:
    """Ask one host, under a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        return await host.ask(one)


async def count(host: AggregateHost, subject: str, by: int = 1) -> CommandResult:
    """Count up, under an id that is used once."""
    return await ask(host, sent(subject, Count(by=by)))


async def divided(hosts: list[AggregateHost], partitions: Collection[int]) -> None:
    """Return once each of the partitions is served by one of the hosts, and each host serves some."""
    async with asyncio.timeout(DEADLINE_S):
        while not (  # noqa: ASYNC110 (a host shows its partitions only when polled)
            all(host.owned for host in hosts)
            and sorted(p for host in hosts for p in host.owned) == sorted(partitions)
        ):
            await asyncio.sleep(0.01)  # sleep: between two polls of the partitions


async def ask_around(hosts: list[AggregateHost], one: CommandRequest) -> CommandResult:
    """Send a command to the owner of its subject, and again while the partition moves."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            for host in list(hosts):
                try:
                    return await host.ask(one)
                except NotOwner:
                    await asyncio.sleep(0.001)  # sleep: spinning clients starve the threads


__all__ = [
    "Owners",
    "ask",
    "ask_around",
    "count",
    "divided",
    "keyed",
    "new_stores",
    "offset",
    "sent",
    "sqlite_stores",
]
