"""Faults that a person can do something about: one line, exit code 2."""

import sys
from collections.abc import Callable
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
