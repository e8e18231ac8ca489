"""An owner's reading of the topic of its commands: orders go into the mailbox, a share at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from bookshelf.concurrency.tasks import cancel_and_wait
from bookshelf.log.port import LogFault, LogFull, OutOfRange, Record, Tail
from bookshelf.runtime.aggregate.command import CommandRequest, NotOwner
from bookshelf.runtime.aggregate.command_queue import CommandQueue
from bookshelf.runtime.aggregate.context import PartitionContext
from bookshelf.runtime.aggregate.topic_commands.messages import CommandMessageDecoder, ReceivedCommand
from bookshelf.runtime.aggregate.topic_commands.poison import PoisonCheck
from bookshelf.runtime.supervisor import Supervisor

#: Orders under way together. More are read once these are written, so a flood waits in the log.
_TOGETHER = 500
_logger = structlog.get_logger(__name__)


class CommandTopicReader:
    """Reads one partition of orders while the pen is held, from where the pen's appends say.

    When the log does not take a share, each of it is delivered alone, until the one at fault is found.
    """

    def __init__(self, context: PartitionContext, queue: CommandQueue) -> None:
        self._context = context
        self._log = context.dependencies.log
        self._topic = context.aggregate.commands
        self._queue = queue
        self._supervisor = Supervisor(f"orders to {context.aggregate.name} in partition {context.partition}")
        self._next: int | None = None
        self._alone_before = 0
        self._suspicion = PoisonCheck(-1, context.dependencies.clock)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Read until the block ends; the pen was taken before."""
        self._next = None
        self._queue.discard_messages()
        reading = asyncio.create_task(self._supervisor.keep(self._read))
        try:
            yield
        finally:
            await cancel_and_wait(reading)

    async def _read(self) -> None:
        orders, tail = self._orders(), await self._tail()
        try:
            while True:
                records = await tail.take(_TOGETHER)
                alone = bool(records) and records[0].offset < self._alone_before
                for share in [[record] for record in records] if alone else [records]:
                    await self._deliver(orders, share)
        except NotOwner:
            return  # the owner is leaving: who comes next reads on
        finally:
            await tail.close()

    def _orders(self) -> CommandMessageDecoder:
        aggregate = self._context.aggregate
        partitions, ordered = self._log.partitions(aggregate.topic), self._log.partitions(self._topic)
        if partitions != ordered:
            msg = f"{self._topic} has {ordered} partitions and {aggregate.topic} {partitions}: make it anew"
            raise LogFault(msg)
        return CommandMessageDecoder(aggregate, partitions, self._context.dependencies.clock)

    async def _tail(self) -> Tail:
        place = (self._topic, self._context.partition)
        if self._next is None:
            self._next = await self._log.consumed(self._context.aggregate.name, *place)
        start = await self._log.start(*place)
        where = {"topic": self._topic, "partition": place[1], "start": start, "next": self._next}
        if self._next < start:
            _logger.warning("orders-expired", **where)  # the topic keeps them for its retention only
            self._next = start
        try:
            return await self._log.tail(*place, self._next)
        except OutOfRange:
            _logger.warning("orders-begin-anew", **where)  # it is another topic than the one that was read
            return await self._log.tail(*place, start)

    async def _deliver(self, orders: CommandMessageDecoder, share: Sequence[Record]) -> None:
        """Return once these are worked through. Raises `LogFault`: nothing of them was written."""
        if not share:
            return
        if len(share) == 1:
            await self._deliver_alone(orders, share[0])
        else:
            try:
                await self._put([orders.read(record) for record in share])
            except LogFault:
                self._alone_before = share[-1].offset + 1
                raise
        self._next = share[-1].offset + 1
        self._supervisor.well()

    async def _deliver_alone(self, orders: CommandMessageDecoder, record: Record) -> None:
        if self._suspicion.offset != record.offset:
            self._suspicion = PoisonCheck(record.offset, self._context.dependencies.clock)
        trial = self._suspicion.trial
        try:
            await self._put([self._suspicion.softened(*orders.read(record))])
        except LogFull:
            raise  # a full disk is no order's fault
        except LogFault:
            self._suspicion.failed()
            raise
        if trial:
            self._suspicion.taken()
            await self._deliver_alone(orders, record)

    async def _put(self, orders: Sequence[tuple[CommandRequest, ReceivedCommand]]) -> None:
        """Return once they were decided and what that led to is written. Raises `LogFault`: nothing was."""
        answers = await asyncio.gather(self._queue.put_messages(orders), return_exceptions=True)
        if isinstance(answers[0], LogFault):
            raise answers[0]
