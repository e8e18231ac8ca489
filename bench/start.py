"""How soon it is ready."""

import asyncio
import time
from pathlib import Path

from bench import library
from bench.inside import world
from bench.line import HOST
from bench.measurement import Measurement, Plan, Sample
from bench.server import server
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES

_BOOKS = 100_000
_FACTS = {
    "up": "from the start of the process to its first line, printed once gateway and services answer",
    "full_first": "only the log is there: states and views are made from it",
    "full_again": "the folder as the run before left it",
    "service": "one service in process, its log open and empty, until its port answers",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    await library.fill(folder / "full", books)
    up = {
        "empty_s": await _up(folder / "empty"),
        "full_first_s": await _up(folder / "full"),
        "full_again_s": await _up(folder / "full"),
    }
    async with world(folder / "own") as there:
        services = {
            f"{service.name}_ms": 1e3 * await _service(index, there) for index, service in enumerate(SERVICES)
        }
    return Sample({"up": up, "service": services}, {"books": books, **_FACTS})


async def _up(data: Path) -> float:
    async with server(data) as shelf:
        return shelf.ready_s


async def _service(index: int, there: Infrastructure) -> float:
    began = time.perf_counter()
    host = ServiceHost(SERVICES[index], there, HOST, 0)
    await host.start()
    _, writer = await asyncio.open_connection(HOST, host.port)
    taken_s = time.perf_counter() - began
    writer.close()
    await host.stop()
    return taken_s


START = Measurement("start", "how soon it is ready", _run)
