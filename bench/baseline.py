"""Runs programs with Protean in a Python that has it, because its libraries do not fit beside ours."""

import asyncio
import os
import sys
import venv
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any

import msgspec

from bench.figures import latencies
from bench.measurement import BenchFault, Figures

#: Names a Python that has Protean; or `make`, for an environment that is made once below the cache folder.
_PYTHON = "PROTEAN_PYTHON"
_WANTED = ("protean==0.18.0", "sqlalchemy>=2,<3")
#: An option of `protean_shop.py`: the aggregates are in SQLite.
DURABLE = "durable"


async def protean(
    program: str, seconds: float, *options: str, name: str = "protean"
) -> tuple[Figures, dict[str, Any]]:
    """Return the figures of a program beside this one, as `name`; none if no Python has Protean.

    Raises `BenchFault`.
    """
    python = os.environ.get(_PYTHON)
    if not python:
        return {}, {name: None, "why": f"{_PYTHON} names no Python that has Protean 0.18"}
    if python == "make":
        python = await _made()
    path = Path(__file__).parent / "protean_peer" / program
    output = await _output(python, str(path), str(seconds), *options)
    found = msgspec.json.decode(output.splitlines()[-1])
    figures = {"per_s": found["per_s"], **latencies(found["taken_s"]), "peak_mib": found["peak_mib"]}
    return {name: figures}, {name: found["facts"]}


async def _made() -> str:
    """Return the Python of an environment with Protean, which is made if it is missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "bookshelf-bench" / "protean-0.18.0"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = folder / "complete"
    if not done.exists():
        await asyncio.to_thread(venv.create, folder, clear=True, with_pip=True)
        await _output(str(python), "-m", "pip", "install", "--quiet", *_WANTED)
        done.touch()
    return str(python)


async def _output(*command: str) -> bytes:
    program = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=sys.stderr)
    try:
        output, _ = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    if program.returncode:
        msg = f"{Path(command[1]).name} has failed; its own message is above"
        raise BenchFault(msg)
    return output
