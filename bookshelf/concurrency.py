"""For asyncio tasks on one event loop: a value and its changes, the end of tasks, timeouts with one timer."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Keeps one value and wakes its readers when it changes.

    A slow reader skips to the newest value; a reader that starts before the first value waits for it.
    """

    def __init__(self) -> None:
        self._now: T | None = None
        self._moved = asyncio.Event()

    @property
    def now(self) -> T | None:
        """The value; None before the first `put`."""
        return self._now

    def put(self, value: T) -> None:
        """Replace the value; an equal value wakes no reader."""
        if value == self._now:
            return
        self._now = value
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def each(self) -> AsyncIterator[T]:
        """Yield the value, then each newer one, without end."""
        seen: T | None = None
        while True:
            moved = self._moved
            if self._now is not None and self._now is not seen:
                seen = self._now
                yield seen
            if self._moved is moved:
                await moved.wait()


async def cancel_and_wait(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and return once all have ended; their results and exceptions are ignored."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def to_its_end(work: Awaitable[T]) -> T:
    """Return the result of work that goes on if the caller is cancelled; that is passed on after its end."""
    running, cancelled = asyncio.ensure_future(work), False
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        running.exception()
        raise asyncio.CancelledError
    return running.result()


async def until_set(pieces: AsyncIterator[T], ended: asyncio.Event) -> AsyncGenerator[T]:
    """Yield the pieces until there is none, or until the event is set; the iterator is not closed."""
    ending = asyncio.ensure_future(ended.wait())
    try:
        while not ending.done():
            piece = asyncio.ensure_future(anext(pieces, None))
            try:
                await asyncio.wait((piece, ending), return_when=asyncio.FIRST_COMPLETED)
                content = piece.result() if piece.done() else None
            finally:
                await cancel_and_wait(piece)
            if content is None:
                return
            yield content
    finally:
        ending.cancel()


async def first_of(works: Iterable[Coroutine[Any, Any, Any]], deadline: float = math.inf) -> bool:
    """Run these until one has ended or the loop's time is `deadline`; return False at the deadline.

    The others are cancelled. Raises what the first to end has raised.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    left_s = max(0.0, deadline - asyncio.get_running_loop().time())
    try:
        done, _ = await asyncio.wait(tasks, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait(*tasks)
    for task in done:
        task.result()
    return bool(done)


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
