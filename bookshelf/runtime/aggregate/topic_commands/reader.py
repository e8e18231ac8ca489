"""Reads the command topic of an owner's partition and puts the command messages into its queue."""

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

#: Command messages that are queued together. The next are read once these are done: a flood waits in the log.
_TOGETHER = 500
_logger = structlog.get_logger(__name__)


class CommandTopicReader:
    """Consumes one partition of a command topic while its owner has the writer, from the consumed offset.

    If the log rejects the messages of one read, each of them is queued alone until the poison one is found.
    """

    def __init__(self, context: PartitionContext, queue: CommandQueue) -> None:
        self._context = context
        self._log = context.dependencies.log
        self._topic = context.aggregate.commands
        self._queue = queue
        self._supervisor = Supervisor(
            f"commands by topic to {context.aggregate.name} in partition {context.partition}"
        )
        self._next: int | None = None
        self._alone_before = 0
        self._check = PoisonCheck(-1, context.dependencies.clock)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Read until the block ends. The writer must be open already."""
        self._next = None
        self._queue.discard_messages()
        reading = asyncio.create_task(self._supervisor.keep(self._read))
        try:
            yield
        finally:
            await cancel_and_wait(reading)

    async def _read(self) -> None:
        decoder, tail = self._decoder(), await self._tail()
        try:
            while True:
                records = await tail.take(_TOGETHER)
                alone = bool(records) and records[0].offset < self._alone_before
                for share in [[record] for record in records] if alone else [records]:
                    await self._deliver(decoder, share)
        except NotOwner:
            return  # this owner is leaving, and the next one reads on
        finally:
            await tail.close()

    def _decoder(self) -> CommandMessageDecoder:
        aggregate = self._context.aggregate
        partitions, own = self._log.partitions(aggregate.topic), self._log.partitions(self._topic)
        if partitions != own:
            msg = f"{self._topic} has {own} partitions and {aggregate.topic} {partitions}: create it again"
            raise LogFault(msg)
        return CommandMessageDecoder(aggregate, partitions, self._context.dependencies.clock)

    async def _tail(self) -> Tail:
        topic, partition = self._topic, self._context.partition
        if self._next is None:
            self._next = await self._log.consumed(self._context.aggregate.name, topic, partition)
        start = await self._log.start(topic, partition)
        where = {"topic": topic, "partition": partition, "start": start, "next": self._next}
        if self._next < start:
            _logger.warning("orders-expired", **where)  # the topic's retention has deleted them
            self._next = start
        try:
            return await self._log.tail(topic, partition, self._next)
        except OutOfRange:
            _logger.warning("orders-begin-anew", **where)  # the topic was deleted and created again
            return await self._log.tail(topic, partition, start)

    async def _deliver(self, decoder: CommandMessageDecoder, share: Sequence[Record]) -> None:
        """Queue these messages and wait until they are done. Raises `LogFault` if nothing was appended."""
        if not share:
            return
        if len(share) == 1:
            await self._deliver_alone(decoder, share[0])
        else:
            try:
                await self._put([decoder.read(record) for record in share])
            except LogFault:
                self._alone_before = share[-1].offset + 1
                raise
        self._next = share[-1].offset + 1
        self._supervisor.well()

    async def _deliver_alone(self, decoder: CommandMessageDecoder, record: Record) -> None:
        if self._check.offset != record.offset:
            self._check = PoisonCheck(record.offset, self._context.dependencies.clock)
        trial = self._check.trial
        try:
            await self._put([self._check.softened(*decoder.read(record))])
        except LogFull:
            raise  # a full disk is not the message's fault
        except LogFault:
            self._check.failed()
            raise
        if trial:
            self._check.taken()
            await self._deliver_alone(decoder, record)

    async def _put(self, messages: Sequence[tuple[CommandRequest, ReceivedCommand]]) -> None:
        """Queue messages; return once their events are in the log. Raises `LogFault` if none is."""
        answers = await asyncio.gather(self._queue.put_messages(messages), return_exceptions=True)
        if isinstance(answers[0], LogFault):
            raise answers[0]
