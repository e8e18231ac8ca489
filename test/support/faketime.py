"""Debian's faketime: programs whose clock is ahead of, or behind, the machine's."""

from pathlib import Path

from support.process import COMMAND

REMEDY = "apt-get install faketime"


def library() -> Path | None:
    """Return the library that gives a program its clock; None if it is not installed."""
    return next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


def available() -> bool:
    return library() is not None


def shifted(hours: int) -> tuple[str, ...]:
    """Return `bookshelf` with a clock that is so many hours ahead; its monotonic clock is the machine's."""
    return (
        "env",
        f"LD_PRELOAD={library()}",
        f"FAKETIME={hours:+d}h",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        *COMMAND,
    )
