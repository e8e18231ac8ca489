"""The copies of all sessions on this node: their topic is read from its start, and followed.

The states that were used last are in memory, all others in a file that can be made again from the log.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from bookshelf.concurrency import cancel_and_wait
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.message import Command
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.session_route import SessionParts
from bookshelf.http.problem import Problem
from bookshelf.log.port import partition_of
from bookshelf.runtime.aggregate.context import OwnerDependencies, PartitionContext
from bookshelf.runtime.aggregate.replay import PartitionReplay, PendingEvents
from bookshelf.runtime.aggregate.snapshot import SnapshotFold
from bookshelf.runtime.api.remote_aggregate import RemoteAggregate
from bookshelf.runtime.infrastructure import MakeStates
from bookshelf.runtime.supervisor import Supervisor

#: Seconds that a read waits for a position.
WAIT_S = 10.0
#: Seconds between two looks at how far the copies are.
_LOOK_S = 0.05


class PartitionCopy:
    """The states of one aggregate in one partition, as this node has read them."""

    def __init__(
        self, aggregate: Aggregate[Any], partition: int, ports: OwnerDependencies, make: MakeStates
    ) -> None:
        self._context = PartitionContext(aggregate, partition, ports)
        self._make = make
        self._supervisor = Supervisor(f"the copies of {aggregate.name}")
        self._current = asyncio.Event()
        self._replay: PartitionReplay | None = None
        self._states: Any = None
        #: The end of the partition at the start; None until it is known.
        self.end: int | None = None

    @property
    def fault(self) -> str | None:
        """Why it is not read; None if it is."""
        return self._supervisor.fault

    @property
    def folded(self) -> int:
        """The offset of the next record to read."""
        return 0 if self._replay is None else self._replay.folded

    async def keep(self) -> None:
        """Read the partition until cancelled."""
        await self._supervisor.keep(self._follow)

    async def _follow(self) -> None:
        context = self._context
        states = self._make(context.aggregate, context.partition)
        replay = PartitionReplay(context, states, PendingEvents(SnapshotFold(context.aggregate), states))
        replay.listeners.append(lambda _keys: self._supervisor.note_progress())
        await replay.open()
        self._replay, self._states = replay, states
        self._current.set()
        try:
            self.end = await context.dependencies.log.end(context.aggregate.topic, context.partition)
            await replay.follow()
        finally:
            self._current.clear()
            await replay.close()

    async def reach(self, offset: int | None) -> None:
        """Return once all before this offset is read; with None, all that is in the log now."""
        await self._current.wait()
        assert self._replay is not None  # noqa: S101 (it is set before the event)
        if offset is None:
            await self._replay.catch_up()
        else:
            await self._replay.catch_up_to(offset)

    async def get(self, key: str) -> Any:  # noqa: ANN401 (the aggregate's state)
        """Return the state of a key as it was read last."""
        await self._current.wait()
        states = self._states
        await states.load([key])
        return states.get(key).state


class ReplicatedSessions:
    """Reads sessions from the copies of this node, and has their owners change them."""

    def __init__(  # noqa: PLR0913 (its ports)
        self,
        parts: SessionParts,
        owners: Mapping[str, RemoteAggregate[Any]],
        *,
        domain: str,
        idle_s: float,
        ports: OwnerDependencies,
        states: MakeStates,
        wait_s: float = WAIT_S,
    ) -> None:
        self.parts = parts
        self.domain = domain
        self.idle_s = idle_s
        self._log = ports.log
        self._ports = ports
        self._make = states
        self._owners = owners
        self._wait_s = wait_s
        self._copies: dict[tuple[str, int], PartitionCopy] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._complete = False

    @property
    def fault(self) -> str | None:
        """How many records of the sessions are read, of how many; None once all are."""
        if self._complete:
            return next((copy.fault for copy in self._copies.values() if copy.fault is not None), None)
        read = sum(copy.folded for copy in self._copies.values())
        there = sum(copy.end or 0 for copy in self._copies.values())
        return f"sessions are being read: {min(read, there)} of {there} records"

    async def start(self) -> None:
        """Begin to read the sessions of all partitions."""
        for aggregate in (self.parts.session, self.parts.shared):
            for partition in range(self._log.partitions(aggregate.topic)):
                copy = PartitionCopy(aggregate, partition, self._ports, self._make)
                self._copies[aggregate.name, partition] = copy
                self._tasks.append(asyncio.create_task(copy.keep()))

    async def complete(self) -> None:
        """Return once each copy has all that was in its partition when it was opened."""
        for copy in self._copies.values():
            # one that is opened anew after a fault begins anew: no single event can be waited for
            while copy.end is None or copy.folded < copy.end:  # noqa: ASYNC110 (as above)
                await asyncio.sleep(_LOOK_S)
        self._complete = True

    async def stop(self) -> None:
        """Stop reading, and store what was read for the next start."""
        await cancel_and_wait(*self._tasks)

    async def read(
        self, aggregate: Aggregate[Any], key: str, after: Iterable[Position] = (), *, to_end: bool = False
    ) -> Any:  # noqa: ANN401 (the aggregate's state)
        """Return a state, once its copy has these positions. Raises `Problem` (behind)."""
        copy = self._copies[aggregate.name, self._partition(aggregate, key)]
        try:
            async with asyncio.timeout(self._wait_s):
                for position in after:
                    await self._reach(aggregate, position)
                if to_end:
                    await copy.reach(None)
                return await copy.get(key)
        except TimeoutError:
            raise Problem("behind", "this node has not read so far yet; try again") from None

    def _partition(self, aggregate: Aggregate[Any], key: str) -> int:
        return partition_of(key, self._log.partitions(aggregate.topic))

    async def _reach(self, aggregate: Aggregate[Any], position: Position) -> None:
        copy = self._copies.get((aggregate.name, position.partition))
        if position.topic == aggregate.topic and copy is not None:
            await copy.reach(position.offset + 1)

    async def ask(
        self,
        aggregate: Aggregate[Any],
        key: str,
        command: Command,
        *,
        actor: str,
        command_id: str,
        content_hash: str = "",
    ) -> CommandResult:
        """Return the result of the owner of a state. Raises `Refused`, `Problem`."""
        ask = partial(self._owners[aggregate.name].ask, key, command)
        return await ask(actor=actor, command_id=command_id, content_hash=content_hash)
