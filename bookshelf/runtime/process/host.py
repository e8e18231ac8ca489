"""Runs a process in one instance: one task for each partition that the process's group assigns to it."""

import asyncio
from collections.abc import Callable, Mapping

from bookshelf.concurrency import cancel_and_wait
from bookshelf.cqrs.process import CommandSender, Process
from bookshelf.log.port import Log, LogFault, Membership
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.metrics import ProcessMeters
from bookshelf.runtime.process.partition import ProcessPartition, SenderPartition


class ProcessHost:
    """Starts and stops a process, or a connector, in the partitions that its group assigns to this instance.

    `make` makes what runs it in one partition.
    """

    _membership: Membership | None = None

    def __init__(self, process: CommandSender, log: Log, make: Callable[[int], SenderPartition]) -> None:
        self.process = process
        self._log = log
        self._make = make
        self._running: dict[int, tuple[SenderPartition, asyncio.Task[None]]] = {}

    @property
    def warning(self) -> str | None:
        """Why the process is degraded, or None: a fault, dead letters, or a lag."""
        name, running = self.process.name, [part for part, _ in self._running.values()]
        if (fault := next((part.fault for part in running if part.fault), None)) is not None:
            return fault
        if letters := self.letters:
            return f"process {name} has {letters} dead letters"
        behind_s = max((part.behind_s for part in running), default=0.0)
        return f"process {name} is {behind_s:.0f} s behind" if behind_s else None

    @property
    def letters(self) -> int:
        """The number of open dead letters in the partitions here."""
        return sum(len(part.letters) for part, _ in self._running.values())

    @property
    def positions(self) -> Mapping[int, int]:
        """The offset of the next event, by partition."""
        return {p: part.position for p, (part, _) in self._running.items() if part.position is not None}

    async def start(self) -> None:
        """Join the group. Raises `LogFault`."""
        own = self._log.partitions(self.process.topic)
        for topic in (self.process.answers, self.process.dead_letters):
            if (found := self._log.partitions(topic)) != own:
                msg = f"{topic} has {found} partitions, {self.process.topic} {own}: create it again"
                raise LogFault(msg)
        name, topic = self.process.name, self.process.topic
        self._membership = await self._log.join(name, topic, self._assigned, self._revoked)

    async def stop(self) -> None:
        """Leave the group."""
        if self._membership is not None:
            await self._membership.leave()

    async def _assigned(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            part = self._make(partition)
            self._running[partition] = part, asyncio.create_task(part.run())

    async def _revoked(self, partitions: frozenset[int]) -> None:
        await cancel_and_wait(*(self._running.pop(partition)[1] for partition in partitions))


def process_host(process: Process, log: Log, clock: Clock, ids: Ids, meters: ProcessMeters) -> ProcessHost:
    """Return the host of a process."""
    return ProcessHost(process, log, lambda p: ProcessPartition(process, p, log, clock, ids, meters))
