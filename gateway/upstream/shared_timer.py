"""A replacement of `asyncio.timeout` in which all timeouts share one timer of the event loop.

It saves the cost of a timer for each request. A timeout expires up to some milliseconds late.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

#: Seconds between two checks for expired timeouts.
_LOOK_S = 0.01


class SharedTimer:
    """Holds the running timeouts; its timer runs only while there are any."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[SharedTimeout] = set()
        self._ticking = False

    def within(self, seconds: float) -> "SharedTimeout":
        """Return a timeout; the task that it limits must enter it at once."""
        loop = self._loop
        if loop is None:  # kept from the first call: each look-up of the loop costs a system call
            loop = self._loop = asyncio.get_running_loop()
        return SharedTimeout(self, loop, loop.time() + seconds)

    def begin(self, timeout: "SharedTimeout", loop: asyncio.AbstractEventLoop) -> None:
        """Add a running timeout."""
        self._running.add(timeout)
        if not self._ticking:
            self._ticking = True
            loop.call_later(_LOOK_S, self._look, loop)

    def end(self, timeout: "SharedTimeout") -> None:
        """Remove a timeout that has ended."""
        self._running.discard(timeout)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for timeout in [timeout for timeout in self._running if timeout.when <= now]:
            timeout.expire()
        self._ticking = bool(self._running)
        if self._ticking:
            loop.call_later(_LOOK_S, self._look, loop)


class SharedTimeout:
    """Cancels its task when its time is over, and turns the cancellation into TimeoutError."""

    __slots__ = ("_before", "_deadlines", "_expired", "_loop", "_task", "when")

    def __init__(self, deadlines: SharedTimer, loop: asyncio.AbstractEventLoop, when: float) -> None:
        self._deadlines = deadlines
        self._loop = loop
        self.when = when
        self._expired = False
        self._task: asyncio.Task[Any] | None = None
        self._before = 0

    def expired(self) -> bool:
        """Return True once the time is over."""
        return self._expired

    def reschedule(self, when: float) -> None:
        """Move the end to another time of the loop's clock."""
        self.when = when

    def expire(self) -> None:
        """Cancel the task because its time is over."""
        self._expired = True
        self._deadlines.end(self)
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> Self:
        """Start the timeout for the current task."""
        self._task = asyncio.current_task(self._loop)
        assert self._task is not None  # noqa: S101 (only a task can be cancelled)
        self._before = self._task.cancelling()
        self._deadlines.begin(self, self._loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End the timeout. Raises TimeoutError if it cancelled the task and nothing else did."""
        self._deadlines.end(self)
        task, self._task = self._task, None
        if self._expired and task is not None:
            ours = task.uncancel() <= self._before
            if ours and kind is asyncio.CancelledError:
                raise TimeoutError from fault
