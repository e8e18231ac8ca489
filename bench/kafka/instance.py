"""`python -m bench.kafka.instance`: an instance as `bookshelf run` makes it, without Consul."""

import asyncio
import sys
from contextlib import AsyncExitStack

import click
import msgspec

from bench.kafka.town import alone
from bookshelf.cli.instance import begin
from bookshelf.cli.loop import collect_rarely, run, run_until_signalled, started
from bookshelf.config import Network, Settings
from bookshelf.runtime.logs import configure
from bookshelf.services import SERVICES


def main(told: str) -> None:
    """Run the service that is told, with the settings that are, until SIGTERM."""
    name, settings, network = msgspec.json.decode(told, type=tuple[str, Settings, Network])
    [service] = [one for one in SERVICES if one.name == name]
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
