"""Computes the first answer of a repetition whose aggregate has changed since.

A completed command is remembered without the state that it left. That state is folded again from the
log, from the aggregate's first event to the command's last; repetitions on one aggregate share one pass.
"""

import asyncio
from typing import Any, NamedTuple

from bookshelf.concurrency import cancel_and_wait
from bookshelf.log.deduplicated import open_deduplicated
from bookshelf.log.port import OutcomeUnknown
from bookshelf.runtime.aggregate.command import NotOwner
from bookshelf.runtime.aggregate.context import PartitionContext
from bookshelf.runtime.aggregate.snapshot import SnapshotFold

#: Records that are read at once, and the most that are read for one aggregate.
_BATCH = 500
_MOST = 1_000_000


class _PendingState(NamedTuple):
    first: int
    offset: int
    state: "asyncio.Future[Any]"


class FirstAnswers:
    """Reads one partition for the states that repetitions need, one aggregate after the other."""

    def __init__(self, context: PartitionContext) -> None:
        self._context = context
        self._fold = SnapshotFold(context.aggregate)
        self._waiting: dict[str, list[_PendingState]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def state(self, key: str, first: int, offset: int) -> Any:  # noqa: ANN401 (the aggregate's state)
        """Return an aggregate's state after the record at an offset; None if too many records precede it.

        `first` is the offset of its first event. Raises `OutcomeUnknown` if the log cannot be read,
        `NotOwner` if the owner is leaving.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(_PendingState(first, offset, future))
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all())
        return await future

    async def close(self) -> None:
        """Stop reading; those that still wait get `NotOwner`."""
        if self._reading is not None:
            await cancel_and_wait(self._reading)
        for asked in self._waiting.values():
            _fail(asked, NotOwner(self._context.partition))
        self._waiting.clear()

    async def _read_all(self) -> None:
        while self._waiting:
            key, asked = next(iter(self._waiting.items()))
            del self._waiting[key]
            try:
                await self._read(key, asked)
            except Exception as fault:  # noqa: BLE001 (whatever the fault, every waiting call is answered)
                msg = f"the first answer of this command cannot be given again: {fault}"
                _fail(asked, OutcomeUnknown(msg))
            finally:
                _fail(asked, NotOwner(self._context.partition))

    async def _read(self, key: str, asked: list[_PendingState]) -> None:
        topic, partition = self._context.aggregate.topic, self._context.partition
        log = self._context.dependencies.log
        first = min(question.first for question in asked)
        first = max(first, await log.start(topic, partition))
        last = min(max(question.offset for question in asked), first + _MOST)
        states = dict.fromkeys(question.offset for question in asked)
        state, tail = self._context.aggregate.initial, await open_deduplicated(log, topic, partition, first)
        try:
            while tail.position <= last:
                for record in await tail.take(_BATCH):
                    if record.key != key or record.offset > last:
                        continue
                    event = self._fold.read(record).event
                    state = state if event is None else self._context.aggregate.evolve(state, event)
                    if record.offset in states:
                        states[record.offset] = state
        finally:
            await tail.close()
        for question in asked:
            if not question.state.done():
                question.state.set_result(states[question.offset])


def _fail(asked: list[_PendingState], fault: Exception) -> None:
    for question in asked:
        if not question.state.done():
            question.state.set_exception(fault)
