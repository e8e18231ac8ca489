"""Runs an aggregate in one instance: one owner for each partition that the log's group assigns to it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.log.port import Membership, partition_of
from bookshelf.runtime.aggregate.command import Busy, CommandRequest, NotOwner
from bookshelf.runtime.aggregate.command_queue import CAPACITY_BYTES
from bookshelf.runtime.aggregate.context import OwnerDependencies, PartitionContext
from bookshelf.runtime.aggregate.deadlines import DeadlineTimer
from bookshelf.runtime.aggregate.owner import Owner
from bookshelf.runtime.aggregate.plugin import OwnerParts, OwnerPlugin
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.topic_commands import TopicCommands
from bookshelf.runtime.supervisor import Supervisor

MakeStates = Callable[[Aggregate[Any], int], StateCache]


class _ServingFlag(asyncio.Event):
    """Set while a partition is served; calls `changed` on each change. `before`: it was set at least once."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed
        self.before = False

    def set(self) -> None:
        super().set()
        self.before = True
        self._changed()

    def clear(self) -> None:
        super().clear()
        self._changed()


class AggregateHost:
    """Starts and stops the owners of one aggregate, and hands each command to the owner of its partition."""

    _membership: Membership | None = None

    def __init__(
        self, aggregate: Aggregate[Any], dependencies: OwnerDependencies, states: MakeStates
    ) -> None:
        self.aggregate = aggregate
        self._log = dependencies.log
        self._dependencies = dependencies
        self._states = states
        self._owners: dict[int, Owner] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._served: dict[int, _ServingFlag] = {}
        self._moved = asyncio.Event()
        #: The number of commands that wait for an owner while their partitions move.
        self.waits = 0
        self._leaving: frozenset[int] = frozenset()
        self._supervisor = Supervisor(f"owner of {aggregate.name}")

    @property
    def owned(self) -> frozenset[int]:
        """The partitions that are owned here and take commands now."""
        return frozenset(p for p, served in self._served.items() if served.is_set())

    @property
    def queued(self) -> int:
        """The number of queued commands of all owners here."""
        return sum(owner.queued for owner in self._owners.values())

    @property
    def folded(self) -> dict[int, int]:
        """The offset of the next record that each owner here folds, by partition."""
        return {partition: owner.folded for partition, owner in self._owners.items()}

    @property
    def fault(self) -> str | None:
        """Why this host is not ready, or None. A partition that is moving is no reason.

        The other partitions are served meanwhile, and commands for the moving one are answered with a retry.
        """
        waiting = self._served.keys() - self.owned - self._leaving
        if not waiting:
            return None
        again = sorted(p for p in waiting if self._served[p].before)
        return self._supervisor.fault or (
            f"{self.aggregate.name} replays partitions {again}" if again else None
        )

    def partition(self, subject: str) -> int:
        """Return the partition that an aggregate's id belongs to."""
        return partition_of(self.aggregate.placed_by(subject), self.partitions)

    @property
    def partitions(self) -> int:
        """The number of partitions of the aggregate's topic."""
        return self._log.partitions(self.aggregate.topic)

    async def start(self) -> None:
        """Join the group; return once the first partitions are assigned and replayed."""
        group, topic = self.aggregate.name, self.aggregate.topic
        self._membership = await self._log.join(group, topic, self._assigned, self._revoked)
        await self.served()

    async def moved(self, known: frozenset[int]) -> frozenset[int]:
        """Wait until the owned partitions differ from `known`, and return them."""
        while self.owned == known:
            self._moved.clear()
            await self._moved.wait()
        return self.owned

    async def served(self) -> None:
        """Return once every partition that is owned now is replayed and served."""
        for served in list(self._served.values()):
            await served.wait()

    async def stop(self) -> None:
        """Answer the queued commands, store the states, and leave the group."""
        if self._membership is not None:
            await self._membership.leave()

    def ask(self, request: CommandRequest) -> asyncio.Future[CommandResult]:
        """Queue a command with the owner of its partition. Raises `NotOwner`, `Busy`."""
        return self._owner_of(request.subject).ask(request)

    @contextmanager
    def waiting(self, size: int) -> Iterator[None]:
        """Count the bytes of a command that waits for an owner. Raises `Busy` if too many are held."""
        room = self._dependencies.room
        if room.used + size > CAPACITY_BYTES:
            raise Busy
        room.used += size
        self.waits += 1
        try:
            yield
        finally:
            self.waits -= 1
            room.used -= size

    async def catch_up_to(self, subject: str, offset: int) -> None:
        """Return once the state of the subject's partition includes every record before `offset`.

        An offset past the end belongs to another log and is not waited for. Raises `NotOwner`, `LogFault`.
        """
        await self._owner_of(subject).catch_up_to(offset)

    def folded_of(self, subject: str) -> int:
        """Return the offset of the next record of the subject's partition to fold. Raises `NotOwner`."""
        return self._owner_of(subject).folded

    async def folds(self, subject: str, offset: int) -> None:
        """Return once every record before `offset` is folded, also those that are yet to come.

        Raises `NotOwner`; if the owner leaves meanwhile, this does not return.
        """
        await self._owner_of(subject).folds(offset)

    def _owner_of(self, subject: str) -> Owner:
        partition = self.partition(subject)
        served = self._served.get(partition)
        if served is None or not served.is_set():
            raise NotOwner(partition)
        return self._owners[partition]

    async def _assigned(self, partitions: frozenset[int]) -> None:
        self._leaving -= partitions
        for partition in partitions:
            self._served[partition] = _ServingFlag(self._changed)
            self._tasks[partition] = asyncio.create_task(self._own(partition))

    def _changed(self) -> None:
        self._moved.set()
        if self._served.keys() == self.owned:
            self._supervisor.note_progress()

    def _owner(self, partition: int) -> Owner:
        context = PartitionContext(self.aggregate, partition, self._dependencies)
        states = self._states(self.aggregate, partition)
        return Owner(context, states, self._served[partition], _plugins)

    async def _own(self, partition: int) -> None:
        async def once() -> None:
            if partition in self._leaving:
                return
            owner = self._owners[partition] = self._owner(partition)
            try:
                await owner.run()
            finally:
                del self._owners[partition]

        await self._supervisor.keep(once)

    async def _revoked(self, partitions: frozenset[int]) -> None:
        self._leaving |= partitions
        for partition in partitions:
            owner = self._owners.get(partition)
            if owner is None:
                self._tasks[partition].cancel()  # it failed and waits for its next attempt
            else:
                owner.leave()
        for partition in partitions:
            await asyncio.wait({self._tasks.pop(partition)})
            self._served.pop(partition).set()  # releases calls of `served` that wait for this partition


def _plugins(parts: OwnerParts) -> list[OwnerPlugin]:
    aggregate = parts.context.aggregate
    found: list[OwnerPlugin] = []
    if aggregate.due is not None:
        found.append(DeadlineTimer(parts))
    if aggregate.takes:
        found.append(TopicCommands(parts))
    return found
