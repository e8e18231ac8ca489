"""A limit on how long something may take, as `asyncio.timeout` is one, but one clock for all of them.

A request then pays for no timer of its own. What is over is noticed some milliseconds late.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

#: Seconds between two looks at whose time is over.
_LOOK_S = 0.01


class SharedTimer:
    """Those that run. The clock ticks only while there are any."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[SharedTimeout] = set()
        self._ticking = False

    def within(self, seconds: float) -> "SharedTimeout":
        """Return a deadline, to be entered at once by the task that it is for."""
        loop = self._loop
        if (
            loop is None
        ):  # whoever asks first says which loop it is: to ask each time costs a call to the system
            loop = self._loop = asyncio.get_running_loop()
        return SharedTimeout(self, loop, loop.time() + seconds)

    def begin(self, one: "SharedTimeout", loop: asyncio.AbstractEventLoop) -> None:
        """Look at this one, too."""
        self._running.add(one)
        if not self._ticking:
            self._ticking = True
            loop.call_later(_LOOK_S, self._look, loop)

    def end(self, one: "SharedTimeout") -> None:
        """Look at it no more."""
        self._running.discard(one)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for one in [one for one in self._running if one.when <= now]:
            one.expire()
        self._ticking = bool(self._running)
        if self._ticking:
            loop.call_later(_LOOK_S, self._look, loop)


class SharedTimeout:
    """One of them: cancels its task when time is over, and makes TimeoutError of that."""

    __slots__ = ("_before", "_deadlines", "_expired", "_loop", "_task", "when")

    def __init__(self, deadlines: SharedTimer, loop: asyncio.AbstractEventLoop, when: float) -> None:
        self._deadlines = deadlines
        self._loop = loop
        self.when = when
        self._expired = False
        self._task: asyncio.Task[Any] | None = None
        self._before = 0

    def expired(self) -> bool:
        """Whether time is over."""
        return self._expired

    def reschedule(self, when: float) -> None:
        """Have it be over at another moment of the loop's clock."""
        self.when = when

    def expire(self) -> None:
        """End what the task does: time is over."""
        self._expired = True
        self._deadlines.end(self)
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> Self:
        """Begin."""
        self._task = asyncio.current_task(self._loop)
        assert self._task is not None  # noqa: S101 (only a task can be ended)
        self._before = self._task.cancelling()
        self._deadlines.begin(self, self._loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End. Raises TimeoutError if that is why the task was ended, and nobody else wanted it, too."""
        self._deadlines.end(self)
        task, self._task = self._task, None
        if self._expired and task is not None:
            ours = task.uncancel() <= self._before
            if ours and kind is asyncio.CancelledError:
                raise TimeoutError from fault
