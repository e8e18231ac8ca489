"""The sessions of a node: they are read from its copies of all partitions, and changed by their owners."""

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
from bookshelf.runtime.agent.copied_states import MakeCopies
from bookshelf.runtime.agent.session_copies import PartitionCopy
from bookshelf.runtime.aggregate.context import OwnerDependencies
from bookshelf.runtime.api.remote_aggregate import RemoteAggregate

#: Seconds that a read waits for a position.
WAIT_S = 10.0
#: Seconds between two looks at how far the copies are.
_LOOK_S = 0.05


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
        copies: MakeCopies,
        wait_s: float = WAIT_S,
    ) -> None:
        self.parts = parts
        self.domain = domain
        self.idle_s = idle_s
        self._log = ports.log
        self._ports = ports
        self._make = copies
        self._owners = owners
        self._wait_s = wait_s
        self._copies: dict[int, PartitionCopy] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._complete = False

    @property
    def fault(self) -> str | None:
        """How many records of the sessions are read, of how many, and what hinders it; None once all are."""
        fault = next((copy.fault for copy in self._copies.values() if copy.fault is not None), None)
        if self._complete:
            return fault
        read = sum(copy.folded - copy.begun for copy in self._copies.values())
        there = sum((copy.end or copy.begun) - copy.begun for copy in self._copies.values())
        progress = f"sessions are being read: {min(read, there)} of {there} records"
        return progress if fault is None else f"{progress}; {fault}"

    async def start(self) -> None:
        """Begin to read the sessions of all partitions."""
        aggregates = (self.parts.session, self.parts.shared)
        for partition in range(self._log.partitions(self.parts.session.topic)):
            copy = self._copies[partition] = PartitionCopy(aggregates, partition, self._ports, self._make)
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
        copy = self._copies[self._partition(aggregate, key)]
        try:
            async with asyncio.timeout(self._wait_s):
                for position in after:
                    await self._reach(aggregate, position)
                if to_end:
                    await copy.reach(None)
                return await copy.get(aggregate, key)
        except TimeoutError:
            raise Problem("behind", "this node has not read so far yet; try again") from None

    def _partition(self, aggregate: Aggregate[Any], key: str) -> int:
        return partition_of(key, self._log.partitions(aggregate.topic))

    async def _reach(self, aggregate: Aggregate[Any], position: Position) -> None:
        copy = self._copies.get(position.partition)
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
