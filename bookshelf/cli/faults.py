"""How commands end: one line for a fault that a user can act on, silence for a closed output."""

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import click

from bookshelf.config import WrongSetting
from bookshelf.cqrs.service import ServiceConflict
from bookshelf.discovery.port import DiscoveryFault
from bookshelf.http.server.server import PortTaken
from bookshelf.log.port import LogFault
from bookshelf.runtime.data_folder import FolderFault
from bookshelf.storage.port import StorageFault


def output_closed() -> bool:
    """Return whether standard output is a pipe that nothing reads any more."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)  # 0: errors are reported in any case
        return any(state & select.POLLERR for _, state in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # no such thing on this system, or no file at all
        return False


@contextmanager
def closed_output_is_no_error() -> Iterator[None]:
    """End the process with exit code 0, without a message, if a write fails because the output is closed."""
    try:
        yield
        sys.stdout.flush()  # not later, when nothing could catch the fault
    except BrokenPipeError:
        if not output_closed():  # of a connection
            raise
        _discard_output()
        sys.exit(0)
    except BaseException:
        if output_closed():
            _discard_output()
        raise


def _discard_output() -> None:
    """Discard what is still buffered, so that Python does not complain about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


F = TypeVar("F", bound=Callable[..., Any])

#: The exit code for what a person can mend; 1 is a defect of ours.
MENDABLE = 2
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
    """Say what is wrong and what to do, in one line, and end."""
    click.echo(f"bookshelf: {message}", err=True)
    sys.exit(MENDABLE)


def guarded(run: Callable[[], None]) -> None:
    """Run a command; a fault that a person can mend becomes its line.

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
