"""`python -m support.primary_program SERVICE NAME FOLDER [planted]`: an instance of `locks` or `counters`.

On Kafka and Consul, as `bookshelf run` runs one, but as no node of a rollout. `planted`: the counters are
not fenced. While the folder has a file `slow`, a counter pauses between the decision on a value and its
write, and leaves the file `paused`, so that there is time to stop the process.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import click
from support.primary_context import Counters

from bookshelf.cli.command import collect_rarely, run, run_until_signalled, started
from bookshelf.cli.instance import make_infrastructure
from bookshelf.cluster.services import CLUSTER_SERVICES
from bookshelf.config import read, read_network
from bookshelf.runtime.logs import configure
from bookshelf.runtime.service import ServiceHost

#: Seconds of each pause.
_PAUSE_S = 1.0


async def _pause(folder: Path) -> None:
    if (folder / "slow").exists():
        (folder / "paused").touch()
        await asyncio.sleep(_PAUSE_S)  # sleep: the time in which it is stopped


def main(name: str, instance: str, folder: str, *planted: str) -> None:
    """Run one service until SIGTERM."""
    services = [service for service in CLUSTER_SERVICES if service.name == "locks"]
    services.append(Counters(fenced=not planted, pause=lambda: _pause(Path(folder))).service)
    [service] = [one for one in services if one.name == name]
    settings = read(os.environ, data=folder, port=0)
    network = read_network(os.environ, id=instance)
    configure(settings.log_level, settings.log_format)

    async def serve(ready: asyncio.Event, leaving: asyncio.Event) -> None:
        collect_rarely()
        async with AsyncExitStack() as stack:
            path = Path(folder) / instance
            path.mkdir(parents=True, exist_ok=True)
            infrastructure = await make_infrastructure(settings, network, path, stack, services=services)
            host = ServiceHost(service, infrastructure, settings.host, 0)
            stack.push_async_callback(host.stop)
            await host.start()
            click.echo(f"{name} is ready at http://{host.address}:{host.port}")
            started()
            ready.set()
            await leaving.wait()

    run(run_until_signalled(serve))


if __name__ == "__main__":
    main(*sys.argv[1:])
