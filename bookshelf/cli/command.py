"""Runs a command on an event loop, ends it on a signal, and reports faults that a person can correct.

Such a fault is one line, and the exit code 2.
"""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from bookshelf.cli.output import output_closed
from bookshelf.config import WrongSetting
from bookshelf.cqrs.service import ServiceConflict
from bookshelf.discovery.port import DiscoveryFault
from bookshelf.http.server import PortTaken
from bookshelf.log.port import LogFault
from bookshelf.runtime.data_folder import FolderFault
from bookshelf.storage.port import StorageFault

F = TypeVar("F", bound=Callable[..., Any])

#: The exit code for a fault that a user can correct; 1 is for a defect of the program.
MENDABLE = 2
#: The exit code of a command that was ended with Ctrl-C.
_INTERRUPTED = 130
_KNOWN = (
    WrongSetting,
    ServiceConflict,
    DiscoveryFault,
    FolderFault,
    LogFault,
    StorageFault,
    PortTaken,
    OSError,
)


def stop(message: str) -> NoReturn:
    """Print what is wrong and what to do, in one line, and end the process with MENDABLE."""
    click.echo(f"bookshelf: {message}", err=True)
    sys.exit(MENDABLE)


def first_line(file: Path) -> str:
    """Return the first line of a file, or of standard input for `-`."""
    text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
    return text.partition("\n")[0]


def guarded(run: Callable[[], None]) -> None:
    """Run a command; a fault that a user can correct ends it with one line.

    Raises BrokenPipeError if standard output is closed, which is no fault.
    """
    try:
        run()
    except BaseExceptionGroup as group:
        known, rest = group.split(_KNOWN)
        if rest is not None or known is None:
            raise
        _stop_for(_first(known))
    except _KNOWN as fault:
        _stop_for(fault)


def _stop_for(fault: BaseException) -> NoReturn:
    if isinstance(fault, BrokenPipeError) and output_closed():
        raise fault
    stop(_line(fault))


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _line(fault: BaseException) -> str:
    hint = "; stop what uses it, or choose others with --port and --service-ports auto"
    text = f"{fault}{hint}" if isinstance(fault, PortTaken) else str(fault)
    return " ".join(text.split())


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


def interruptible(main: Coroutine[Any, Any, None]) -> None:
    """Run a command that a user may end with Ctrl-C, as `guarded` does."""

    def go() -> None:
        try:
            run(main)
        except KeyboardInterrupt:
            sys.exit(_INTERRUPTED)

    guarded(go)


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
