"""Runs the service of the site alone: prints its port and the milliseconds of its start, until SIGTERM."""

import asyncio
import signal
import sys
import time
from pathlib import Path

from bench.connection import HOST
from bench.in_process import open_infrastructure
from bookshelf.runtime.logs import configure
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES


async def _serve(folder: Path) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with open_infrastructure(folder) as infrastructure:
        (service,) = (service for service in SERVICES if service.name == "site")
        began = time.perf_counter()
        host = ServiceHost(service, infrastructure, HOST, 0)
        await host.start()
        sys.stdout.write(f"{host.port} {1e3 * (time.perf_counter() - began):.1f}\n")
        sys.stdout.flush()
        await ended.wait()
        await host.stop()


if __name__ == "__main__":
    configure("error", "auto")
    asyncio.run(_serve(Path(sys.argv[1])))
