"""The host of an aggregate: an owner for every partition that its group gives it."""

import asyncio
from collections.abc import Callable
from typing import Any

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.log.partition import partition_of
from bookshelf.log.port import Log, Membership
from bookshelf.runtime.clock import Ids
from bookshelf.runtime.owner.command import NotOwner, Outcome, Sent
from bookshelf.runtime.owner.owner import Owner
from bookshelf.runtime.owner.states import States
from bookshelf.runtime.supervisor import Supervisor
from bookshelf.runtime.telemetry import OwnerMeters

MakeStates = Callable[[Aggregate[Any], int], States]


class AggregateHost:
    """Runs an aggregate of one service instance."""

    def __init__(
        self, aggregate: Aggregate[Any], log: Log, states: MakeStates, ids: Ids, meters: OwnerMeters
    ) -> None:
        self.aggregate = aggregate
        self._log = log
        self._states = states
        self._ids = ids
        self._meters = meters
        self._owners: dict[int, Owner] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._supervisor = Supervisor(f"owner of {aggregate.name}")
        self._membership: Membership | None = None

    @property
    def owned(self) -> frozenset[int]:
        """The partitions that are owned and served now."""
        return frozenset(p for p, owner in self._owners.items() if owner.ready.is_set())

    @property
    def fault(self) -> str | None:
        """What keeps this host from being ready, if anything does."""
        waiting = [p for p, owner in self._owners.items() if not owner.ready.is_set()]
        if waiting:
            return f"{self.aggregate.name} replays partitions {waiting}"
        return self._supervisor.fault

    def partition(self, subject: str) -> int:
        """Return the partition of an aggregate's id."""
        return partition_of(subject, self._log.partitions(self.aggregate.topic))

    async def start(self) -> None:
        """Join the group; returns once the first partitions are assigned and replayed."""
        group, topic = self.aggregate.name, self.aggregate.topic
        self._membership = await self._log.join(group, topic, self._assigned, self._revoked)
        for owner in list(self._owners.values()):
            await owner.ready.wait()

    async def stop(self) -> None:
        """Answer what waits, store what is known, leave the group."""
        if self._membership is not None:
            await self._membership.leave()

    def ask(self, sent: Sent) -> asyncio.Future[Outcome]:
        """Hand a command to its owner. Raises `NotOwner`, `Busy`."""
        partition = self.partition(sent.subject)
        owner = self._owners.get(partition)
        if owner is None or not owner.ready.is_set():
            raise NotOwner(partition)
        return owner.ask(sent)

    async def _assigned(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            self._tasks[partition] = asyncio.create_task(self._own(partition))
            self._owners[partition] = self._owner(partition)

    def _owner(self, partition: int) -> Owner:
        states = self._states(self.aggregate, partition)
        return Owner(self.aggregate, partition, self._log, states, self._ids, self._meters)

    async def _own(self, partition: int) -> None:
        async def once() -> None:
            await self._owners[partition].run()

        def again() -> None:
            self._owners[partition] = self._owner(partition)

        await self._supervisor.keep(once, again)

    async def _revoked(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            self._owners[partition].leave()
        for partition in partitions:
            await self._tasks.pop(partition)
            del self._owners[partition]
