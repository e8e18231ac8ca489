"""The deadline timer of an owner: queues the command of each deadline that is reached."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from bookshelf.concurrency.tasks import cancel_and_wait
from bookshelf.log.port import LogFault
from bookshelf.runtime.aggregate.command import Busy, NotOwner
from bookshelf.runtime.aggregate.command_queue import CommandQueue
from bookshelf.runtime.aggregate.context import PartitionContext
from bookshelf.runtime.aggregate.deadlines.deadline import expire_deadline, moment_of
from bookshelf.runtime.aggregate.deadlines.queue import DeadlineQueue
from bookshelf.runtime.aggregate.replay import PartitionReplay
from bookshelf.runtime.aggregate.state_cache import StateCache

#: Deadlines whose commands are queued together.
_TOGETHER = 500
#: The time after which a deadline whose command could not be carried out is tried again.
_AGAIN = timedelta(minutes=1)
_logger = structlog.get_logger(__name__)


class DeadlineTimer:
    """Waits for the first deadline of a partition. The log, and not the timer, records which have fired."""

    def __init__(
        self, context: PartitionContext, states: StateCache, replay: PartitionReplay, queue: CommandQueue
    ) -> None:
        self._context = context
        self._clock = context.dependencies.clock
        self._states = states
        self._replay = replay
        self._queue = queue

    async def run(self, deadlines: DeadlineQueue, ready: asyncio.Event) -> None:
        """Fire deadlines until cancelled, starting once the owner is `ready`."""
        await ready.wait()
        while True:
            deadlines.sooner.clear()
            first = await deadlines.first(self._replay.store)
            if first is None:
                await deadlines.sooner.wait()
            elif first > moment_of(self._clock.now()):
                when = datetime.fromisoformat(first)
                await _either(self._clock.until(when), deadlines.sooner.wait())
            else:
                await self._fire(deadlines)

    async def _fire(self, deadlines: DeadlineQueue) -> None:
        now = self._clock.now()
        keys = deadlines.by(moment_of(now), _TOGETHER)
        failed = await self._ask(keys, now)
        try:
            # the new events are read back, so that the next deadline of each aggregate is known
            await self._replay.catch_up()
            await self._states.load(keys)
            deadlines.note(keys)
        except LogFault:
            failed = keys
        again = moment_of(now + _AGAIN)
        for key in failed:
            deadlines.put_off(key, again)

    async def _ask(self, keys: Sequence[str], now: datetime) -> Sequence[str]:
        """Queue the deadline command of each key; return the keys whose command failed."""
        name = self._context.aggregate.name
        asked: list[asyncio.Future[Any]] = []
        for key in keys:
            try:
                asked.append(self._queue.put(expire_deadline(key, name, now)))
            except (Busy, NotOwner):
                break
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for key, answer in zip(keys, answers, strict=False):
            if isinstance(answer, Exception):
                _logger.error("deadline-failed", aggregate=name, subject=key, why=str(answer))
        left = [key for key, answer in zip(keys, answers, strict=False) if isinstance(answer, Exception)]
        return [*left, *keys[len(asked) :]]


async def _either(*waits: Coroutine[Any, Any, Any]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait(*tasks)
    for task in done:
        task.result()
