"""Measures the time from the start until a shelf, or a single service, is ready."""

import asyncio
import time
from pathlib import Path

from bench import sample_books
from bench.connection import HOST
from bench.in_process import open_infrastructure
from bench.measurement import Measurement, Plan, Sample
from bench.server import server
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES

_BOOKS = 100_000
_FACTS = {
    "up": "from the start of the process to its first line, printed once gateway and services answer",
    "full_first": "the folder has only a log, from which states and views are rebuilt",
    "full_again": "the same folder, with the states and views of the run before",
    "service": "one service in this process, with an open and empty log, until its port accepts a connection",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    await sample_books.fill(folder / "full", books)
    up = {
        "empty_s": await _up(folder / "empty"),
        "full_first_s": await _up(folder / "full"),
        "full_again_s": await _up(folder / "full"),
    }
    async with open_infrastructure(folder / "own") as infrastructure:
        services = {
            f"{service.name}_ms": 1e3 * await _service(index, infrastructure)
            for index, service in enumerate(SERVICES)
        }
    return Sample({"up": up, "service": services}, {"books": books, **_FACTS})


async def _up(data: Path) -> float:
    async with server(data) as shelf:
        return shelf.ready_s


async def _service(index: int, infrastructure: Infrastructure) -> float:
    began = time.perf_counter()
    host = ServiceHost(SERVICES[index], infrastructure, HOST, 0)
    await host.start()
    _, writer = await asyncio.open_connection(HOST, host.port)
    taken_s = time.perf_counter() - began
    writer.close()
    await host.stop()
    return taken_s


START = Measurement("start", "time until a shelf, or a service, is ready", _run)
