"""The broker and the agent that a domain stands on: real programs, run for a measurement."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bench import programs
from bench.connection import HOST, ask
from bench.measurement import BenchFault
from bench.wire import get
from bookshelf.http.server import free_port

#: Seconds until a program must answer, and between two looks.
_READY_S, _LOOK_S, _END_S = 180.0, 0.05, 20.0
_TESTS = Path(__file__).resolve().parents[2] / "test"
#: All nodes are at one address.
_LIMITS = "disable_update_check = true limits { http_max_conns_per_client = 2000 }"


@asynccontextmanager
async def open_broker(folder: Path, address: str = "") -> AsyncIterator[str]:
    """Run a broker as `make kafka` does; yield its address. With an `address` nothing is started.

    Raises `BenchFault` if there is none here.
    """
    if address:
        yield address
        return
    folder.mkdir()  # noqa: ASYNC240 (nothing else runs yet)
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "support.run_kafka"),
        cwd=_TESTS,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": "."},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 (it is a pipe)
        async with asyncio.timeout(_READY_S):
            line = (await process.stdout.readline()).decode()
        if not line:
            assert process.stderr is not None  # noqa: S101 (it is a pipe)
            reason = (await process.stderr.read()).decode(errors="replace").strip()
            raise BenchFault(reason[-300:] or "the broker has ended")
        yield line.removeprefix("Kafka answers at ").partition(";")[0]
    finally:
        await _end(process)


@asynccontextmanager
async def open_consul(program: str) -> AsyncIterator[str]:
    """Run a development agent of Consul, in memory; yield its address."""
    http = free_port()
    process = await create_subprocess_exec(
        *programs.consul(program, http, "-hcl", _LIMITS),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_READY_S):
            while not await _has_leader(http):  # noqa: ASYNC110 (it notifies nothing)
                await asyncio.sleep(_LOOK_S)
        yield f"{HOST}:{http}"
    finally:
        await _end(process)


async def _has_leader(port: int) -> bool:
    with suppress(OSError, BenchFault):
        return b"serfHealth" in (await ask(port, get("/v1/health/state/passing"))).body
    return False


async def _end(process: Process) -> None:
    """End a program with all that it has started."""
    if process.returncode is None:
        process.terminate()
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
