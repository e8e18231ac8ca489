"""`python -m bench.kafka.instance`: runs an instance as `bookshelf run` does, without Consul."""

import asyncio
import sys
from contextlib import AsyncExitStack

import click
import msgspec

from bench.kafka.cluster import alone
from bookshelf.cli.command import collect_rarely, run, run_until_signalled, started
from bookshelf.cli.instance import begin
from bookshelf.config import Network, Settings
from bookshelf.runtime.logs import configure
from bookshelf.services import SERVICES


def main(arguments: str) -> None:
    """Run one service until SIGTERM. `arguments`: its name, settings and network as JSON."""
    name, settings, network = msgspec.json.decode(arguments, type=tuple[str, Settings, Network])
    [service] = [candidate for candidate in SERVICES if candidate.name == name]
    configure(settings.log_level, settings.log_format)

    async def serve(ready: asyncio.Event, leaving: asyncio.Event) -> None:
        collect_rarely()
        async with AsyncExitStack() as stack:
            click.echo(await begin(service, settings, network, stack, alone))
            started()
            ready.set()
            await leaving.wait()

    run(run_until_signalled(serve))


if __name__ == "__main__":
    main(sys.argv[1])
