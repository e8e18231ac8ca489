"""The provider of a connector in one instance: how many calls run at once, and its circuit breaker."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from bookshelf.circuit_breaker import BreakerLimits, CircuitBreaker
from bookshelf.concurrency import first_of
from bookshelf.cqrs.connector import Connector
from bookshelf.http.client import NoResponse, Unreachable
from bookshelf.runtime.clock import Clock
from bookshelf.runtime.metrics import ProcessMeters

#: Calls of one connector that run at once in an instance.
MOST_CALLS = 32
T = TypeVar("T")


class Provider:
    """Starts calls of one provider, for all partitions of a connector in this instance.

    `monotonic` times the calls.
    """

    def __init__(
        self,
        connector: Connector,
        clock: Clock,
        meters: ProcessMeters,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connector = connector
        self._clock = clock
        self._meters = meters
        self._monotonic = monotonic
        self._no_answer: tuple[type[Exception], ...] = (
            TimeoutError,
            Unreachable,
            NoResponse,
            *connector.unreachable,
        )
        self._breaker = CircuitBreaker(BreakerLimits())
        self._running = 0
        self._moved = asyncio.Event()

    @property
    def warning(self) -> str | None:
        """That the provider does not answer, or None."""
        if self._breaker.closed:
            return None
        return f"the provider of connector {self._connector.name} does not answer; calls wait"

    @property
    def admits(self) -> bool:
        """True if a call may be started now."""
        return self._running < MOST_CALLS and self._breaker.allows(self._now())

    async def free(self) -> None:
        """Wait until a call may be started."""
        while not self.admits:
            waits: list[Coroutine[Any, Any, Any]] = [self._moved.wait()]
            if self._breaker.retry_at > self._now():
                left_s = self._breaker.retry_at - self._now()
                waits.append(self._clock.until(self._clock.now() + timedelta(seconds=left_s)))
            await first_of(waits)

    def start(self, work: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        """Start a call, which is cancelled after the deadline of the connector."""
        trial = self._breaker.enter(self._now())
        self._running += 1
        task = asyncio.create_task(self._within(work))
        task.add_done_callback(partial(self._ended, trial, self._monotonic()))
        return task

    async def _within(self, work: Callable[[], Awaitable[T]]) -> T:
        async with asyncio.timeout(self._connector.deadline_s):
            return await work()

    def _ended(self, trial: bool, began: float, task: asyncio.Task[Any]) -> None:  # noqa: FBT001
        self._running -= 1
        fault = None if task.cancelled() else task.exception()
        if task.cancelled():
            self._breaker.left(trial=trial)
        else:
            self._meters.called(self._monotonic() - began, failed=fault is not None)
            if fault is None:
                self._breaker.succeeded(trial=trial)
            elif isinstance(fault, self._no_answer):
                self._breaker.failed(self._now(), trial=trial)
            else:  # it has answered, or was not reached at all: that does not show how the provider is
                self._breaker.left(trial=trial)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _now(self) -> float:
        return self._clock.now().timestamp()
