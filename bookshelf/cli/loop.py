"""Runs a command on an event loop, and ends it on a signal."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

Serve = Callable[[asyncio.Event, asyncio.Event], Awaitable[None]]


#: Thresholds of the garbage collector: states and rows have no cycles, and each look at them stops everyone.
_COLLECT = (50_000, 20, 100)


def collect_rarely() -> None:
    """Make the garbage collector run less often, for the rest of this process."""
    gc.set_threshold(*_COLLECT)


def started() -> None:
    """Exclude all present objects from garbage collection: they are kept until the process ends."""
    gc.freeze()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, on uvloop if that is installed."""
    factory = None
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 (not installed everywhere)

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


def on_hangup(reload: Callable[[], None]) -> None:
    """Call `reload` on SIGHUP, if the system has that signal."""
    with contextlib.suppress(NotImplementedError, AttributeError, ValueError, RuntimeError):
        # not on every system, and not in a thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


async def run_until_signalled(serve: Serve) -> None:
    """Run `serve(ready, leaving)`: a signal sets `leaving`, or ends it at once if it is not `ready` yet."""
    ready, leaving = asyncio.Event(), asyncio.Event()
    serving = asyncio.ensure_future(serve(ready, leaving))

    def leave() -> None:
        if ready.is_set():
            leaving.set()
        else:
            serving.cancel()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, leave)
    with contextlib.suppress(asyncio.CancelledError):
        await serving
