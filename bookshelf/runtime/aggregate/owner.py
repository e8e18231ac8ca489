"""Runs one partition: drains the command queue and commits each batch through the partition's writer."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import structlog

from bookshelf.concurrency import cancel_and_wait
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.log.port import Fenced, OutcomeUnknown
from bookshelf.runtime.aggregate.batch import BatchProcessor
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.aggregate.command_queue import BATCH, CommandQueue, QueuedCommand
from bookshelf.runtime.aggregate.context import PartitionContext
from bookshelf.runtime.aggregate.plugin import OwnerParts, OwnerPlugin
from bookshelf.runtime.aggregate.replay import PartitionReplay, PendingEvents
from bookshelf.runtime.aggregate.snapshot import SnapshotFold
from bookshelf.runtime.aggregate.state_cache import StateCache

#: Seconds before the writer is reopened after an attempt without a batch: doubled from the first to the last.
_PAUSE_S = 0.05
_LAST_PAUSE_S = 1.0
_logger = structlog.get_logger(__name__)

MakePlugins = Callable[[OwnerParts], Sequence[OwnerPlugin]]


class Owner:
    """Owns one partition of an aggregate from `run` until `leave`. `ready` is set while it takes commands."""

    def __init__(
        self,
        context: PartitionContext,
        states: StateCache,
        ready: asyncio.Event,
        make_plugins: MakePlugins = lambda _: (),
    ) -> None:
        self._context = context
        self._pending = PendingEvents(SnapshotFold(context.aggregate), states)
        self._replay = PartitionReplay(context, states, self._pending)
        self._queue = CommandQueue(context.partition, context.dependencies.room)
        parts = OwnerParts(context, states, self._replay, self._queue)
        self._plugins = make_plugins(parts)
        self._replay.listeners.extend(plugin.note_folded for plugin in self._plugins)
        self._processor = BatchProcessor(parts, self._pending, self._plugins)
        self._batches = 0
        #: Upper limit for the next batch: halved when an append's outcome is unknown, doubled on success.
        self._most = BATCH
        self.ready = ready

    def ask(self, request: CommandRequest) -> asyncio.Future[CommandResult]:
        """Queue a command. Raises `Busy`, `NotOwner`; the future may raise any `Refused`."""
        return self._queue.put(request)

    async def catch_up_to(self, offset: int) -> None:
        """Return once the state includes every record before `offset`; at once if the log ends before it."""
        await self._replay.catch_up_to(offset)

    async def folds(self, offset: int) -> None:
        """Return once every record before `offset` is folded, also those that are yet to come."""
        await self._replay.reach(offset)

    @property
    def queued(self) -> int:
        """The number of commands in the queue."""
        return len(self._queue)

    @property
    def folded(self) -> int:
        """The offset of the next record to fold into the state."""
        return self._replay.folded

    def leave(self) -> None:
        """Accept no more commands; `run` returns once all queued commands are answered."""
        self._queue.close()

    async def run(self) -> None:
        """Own the partition until `leave`."""
        await self._replay.open()
        serving = asyncio.create_task(self._serve())
        endless = [asyncio.create_task(self._replay.follow())]
        endless += [
            asyncio.create_task(task) for plugin in self._plugins for task in plugin.tasks(self.ready)
        ]
        try:
            await asyncio.wait((serving, *endless), return_when=asyncio.FIRST_COMPLETED)
            for task in endless:
                if task.done():
                    task.result()  # these tasks end only with a fault: raise it
            await serving
        finally:
            self.ready.clear()
            await cancel_and_wait(serving, *endless)
            self._queue.reject_all()
            await self._processor.close()
            await self._replay.close()

    async def _serve(self) -> None:
        pause_s = 0.0
        while True:
            batches = self._batches
            try:
                await self._hold_writer()
            except (Fenced, OutcomeUnknown) as fault:
                if isinstance(fault, OutcomeUnknown):
                    self._most = max(1, self._most // 2)
                where = {"aggregate": self._context.aggregate.name, "partition": self._context.partition}
                _logger.warning("writer-lost", **where, why=str(fault))
            else:
                return
            pause_s = min(2 * pause_s + _PAUSE_S, _LAST_PAUSE_S) if batches == self._batches else 0.0
            await asyncio.sleep(pause_s)

    async def _hold_writer(self) -> None:
        """Open the writer, catch up, and work on batches until `leave`. Raises `Fenced`, `OutcomeUnknown`."""
        # the writer is opened first: it fences all earlier ones, so no former owner appends from here on
        name, topic = self._context.aggregate.name, self._context.aggregate.topic
        writer = await self._context.dependencies.log.writer(name, topic, self._context.partition)
        await self._replay.catch_up()
        self._pending.clear()
        self.ready.set()
        commands: list[QueuedCommand] = []
        try:
            async with AsyncExitStack() as serving:
                for plugin in self._plugins:
                    await serving.enter_async_context(plugin.serve())
                while commands := await self._queue.take(self._most):
                    await self._processor.work(writer, commands)
                    self._batches += 1
                    self._most = min(2 * self._most, BATCH)
        except BaseException:
            # they are decided again, perhaps by another owner; those that were tried may be in the log
            self._queue.put_back(commands, tried=self._processor.tried)
            raise
        finally:
            await writer.close()
