"""Batches concurrent reads: up to 8 share one thread hop and one transaction, each dearer than a query."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from bookshelf.storage.faults import translate_errors

#: Reads in one batch: at most this many wait for a slow one.
_MOST = 8
#: Batches that run at the same time.
_TURNS = 2

Work = Callable[[Connection], Any]
Outcome = tuple[Any, BaseException | None]


class _Read(NamedTuple):
    work: Work
    answer: "asyncio.Future[Any]"


class ReadBatcher:
    """Runs reads of an engine in an executor's threads. A snapshot is never older than any of its reads."""

    def __init__(self, executor: Executor, on: Engine) -> None:
        self._executor = executor
        self._on = on
        self._waiting: deque[_Read] = deque()
        self._turns = 0

    async def run(self, work: Work) -> Any:  # noqa: ANN401 (whatever the work returns)
        """Run `work` in a batch and return its result. Raises `StorageFault`, or what `work` raises."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Read(work, answer))
        self._begin()
        return await answer

    def _begin(self) -> None:
        while self._waiting and self._turns < _TURNS:
            reads = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
            works = [read.work for read in reads]
            self._turns += 1
            turn = asyncio.get_running_loop().run_in_executor(
                self._executor, _on_one_snapshot, self._on, works
            )
            turn.add_done_callback(lambda done, reads=reads: self._ended(reads, done))  # type: ignore[misc]

    def _ended(self, reads: Sequence[_Read], turn: "asyncio.Future[list[Outcome]]") -> None:
        self._turns -= 1
        fault = asyncio.CancelledError() if turn.cancelled() else turn.exception()
        outcomes = [(None, fault)] * len(reads) if fault is not None else turn.result()
        for read, (result, failed) in zip(reads, outcomes, strict=True):
            if read.answer.done():  # the caller was cancelled
                continue
            if failed is None:
                read.answer.set_result(result)
            else:
                read.answer.set_exception(failed)
        self._begin()


def _on_one_snapshot(on: Engine, works: Sequence[Work]) -> list[Outcome]:
    with translate_errors(), on.begin() as db:
        return [_outcome(db, work) for work in works]


def _outcome(db: Connection, work: Work) -> Outcome:
    try:
        with translate_errors():
            return work(db), None
    except Exception as fault:  # noqa: BLE001 (raised to the caller of this read alone)
        return None, fault
