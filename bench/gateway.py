"""Measures the gateway beside other reverse proxies: the same upstream and the same load, in turn."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from bench import programs
from bench.load import Load
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.proxies import HOST, PATH, PREFIX
from bench.wire import get
from bookshelf.config import missing_extra
from bookshelf.http.server import free_port

#: Seconds within which a program must listen, and between two checks.
_OPEN_S = 20.0
_LOOK_S = 0.02
#: Seconds of the warm-up load, which is not counted.
_WARM_S = 1.0
_WHAT = {
    "upstream": "requested directly, without a proxy",
    "gateway": "with all limits, among them a rate for each client; no access log",
    "naive": "a minimal handler of aiohttp.web with aiohttp's client",
    "nginx": "one worker, with limits on rate and connections",
    "haproxy": "one thread",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    try:
        import limits  # noqa: F401, PLC0415 (an extra; the measured processes need it)
    except ModuleNotFoundError as fault:
        raise BenchFault(str(missing_extra("python -m bench gateway", fault, "gateway"))) from None
    figures: Figures = {}
    facts: dict[str, Any] = {"load": "wrk, one thread" if programs.found("wrk") else "our own", "missing": []}
    async with AsyncExitStack() as stack:
        upstream = free_port()
        await stack.enter_async_context(opened("upstream", own("upstream", upstream, 0), upstream))
        for name, what in _WHAT.items():
            port = upstream if name == "upstream" else free_port()
            command = _command(name, folder, port, upstream)
            if command is None:
                facts["missing"].append(name)
                continue
            path = PATH if name == "upstream" else PREFIX + PATH
            async with _running(name, command, port):
                await load(port, path, plan.connections, _WARM_S)
                figures[name] = await load(port, path, plan.connections, plan.seconds)
            facts[name] = what
    return Sample(_compared(figures), facts)


async def load(port: int, path: str, connections: int, seconds: float) -> dict[str, float]:
    """Return the figures of a load by wrk, or by `Load` if wrk is not installed."""
    if programs.found("wrk") is None:
        return await Load([get(path)], 200).run(port, connections, seconds)
    return await programs.wrk(f"http://{HOST}:{port}{path}", connections, seconds)


def _compared(figures: Figures) -> Figures:
    """Add the gateway's rate as a share of each other one."""
    own = figures["gateway"]["per_s"]
    shares = {f"of {name}": own / figure["per_s"] for name, figure in figures.items() if name != "gateway"}
    return {**figures, "gateway, share": shares}


def _command(name: str, folder: Path, port: int, upstream: int) -> list[str] | None:
    match name:
        case "nginx":
            return programs.nginx(folder, port, upstream)
        case "haproxy":
            return programs.haproxy(folder, port, upstream)
        case "naive" if find_spec("aiohttp") is None:  # of the extra `bench`
            return None
    return own(name, port, upstream)


def own(which: str, port: int, upstream: int) -> list[str]:
    """Return the command that runs one of the proxies of `bench.proxies`."""
    return [sys.executable, "-m", "bench.proxies", which, str(port), str(upstream)]


@asynccontextmanager
async def _running(name: str, command: list[str], port: int) -> AsyncIterator[None]:
    if name == "upstream":  # it runs already
        yield
        return
    async with opened(name, command, port):
        yield


@asynccontextmanager
async def opened(name: str, command: list[str], port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program that listens on a port, in a process of its own, until the block ends.

    Raises `BenchFault` if it does not listen in time, or exits early; the message ends with its last line.
    """
    with TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=DEVNULL, stderr=errors, env=_clean(os.environ)
        )
        try:
            await _listening(process, port, name)
            yield process
        except Exception as fault:
            if process.returncode is None:
                raise
            cause = _last_line(errors)
            raise BenchFault(f"{name} ended with exit code {process.returncode}: {cause}") from fault
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _last_line(file: IO[bytes]) -> str:
    file.seek(0)
    lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it printed no reason")


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("BOOKSHELF_")}


async def _listening(process: asyncio.subprocess.Process, port: int, name: str) -> None:
    try:
        async with asyncio.timeout(_OPEN_S):
            while process.returncode is None:
                with socket.socket() as probe:
                    if probe.connect_ex((HOST, port)) == 0:
                        return
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise BenchFault(f"{name} did not listen on port {port} within {_OPEN_S:.0f} s") from None
    raise BenchFault(f"{name} ended before it listened")


GATEWAY = Measurement("gateway", "a GET through the gateway, and through its like", _run, large=True)
