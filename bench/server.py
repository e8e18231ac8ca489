"""Runs a `bookshelf up` in a process of its own."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from bench.measurement import BenchFault
from bookshelf.config import PREFIX
from bookshelf.runtime.data_folder import InstanceNote, running

#: Seconds within which it must be ready, and must have exited after SIGTERM.
READY_S = 1800.0
_LEAVE_S = 60.0


class Server:
    """A running shelf: its process, its ports, and the seconds from its start until it was ready."""

    def __init__(self, note: InstanceNote, ready_s: float) -> None:
        self.pid = note.pid
        self.services = note.services
        self.gateway = urlsplit(note.url).port or 80
        self.ready_s = ready_s


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with these settings of Bookshelf, and no others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return clean | {PREFIX + name: value for name, value in settings.items()}


@asynccontextmanager
async def server(data: Path, *only: str, **settings: str) -> AsyncIterator[Server]:
    """Run a shelf, or `only` some of its services, on a data folder until the block ends.

    `settings` are named in capitals, without the prefix. Raises `BenchFault`.
    """
    with data.with_suffix(".stderr").open("w+b") as errors:
        began = time.perf_counter()
        process = await _start(data, errors, only, settings)
        try:
            await _ready(process, errors)
            ready_s = time.perf_counter() - began
            note = running(data)
            if note is None:
                msg = "the shelf reported that it is ready, but its folder has no note of it"
                raise BenchFault(msg)
            yield Server(note, ready_s)
        finally:
            await end(process)


async def _start(data: Path, errors: IO[bytes], only: Sequence[str], settings: Mapping[str, str]) -> Process:
    command = (
        sys.executable,
        "-m",
        "bookshelf",
        "up",
        "--data",
        str(data),
        "--port",
        "0",
        "--service-ports",
        "auto",
        *(f"--only={name}" for name in only),
    )
    return await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=PIPE, stderr=errors, env=clean_environment(settings)
    )


async def _ready(process: Process, errors: IO[bytes]) -> None:
    assert process.stdout is not None  # noqa: S101 (it is a pipe)
    try:
        async with asyncio.timeout(READY_S):
            first = await process.stdout.readline()
    except TimeoutError:
        msg = f"the shelf was not ready within {READY_S:.0f} s"
        raise BenchFault(msg) from None
    if not first:
        errors.seek(0)
        msg = f"the shelf did not start: {errors.read()[-1000:].decode(errors='replace').strip()}"
        raise BenchFault(msg)


async def end(process: Process) -> None:
    """Terminate a process and wait for its exit; kill it if that takes too long."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_LEAVE_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
