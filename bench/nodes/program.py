"""`python -m bench.nodes.program`: one instance as `bookshelf run` runs it, which notes each pause.

It prints its URL once it is ready; then `paused` and `resumed`, each with the nanoseconds of the monotonic
clock, which all processes of a machine share.
"""

import asyncio
import sys
import time
from contextlib import AsyncExitStack

import click
import msgspec

from bench.nodes.sample_service import SAMPLE, STATEFUL_SAMPLE
from bookshelf.cli.command import collect_rarely, guarded, run, run_until_signalled, started
from bookshelf.cli.domain import start_host, with_admissions, with_checks
from bookshelf.cli.instance import make_infrastructure
from bookshelf.cli.sessions import with_sessions
from bookshelf.cluster.services import CLUSTER_SERVICES
from bookshelf.config import Network, Settings
from bookshelf.runtime.data_folder import DataFolder
from bookshelf.runtime.logs import configure
from bookshelf.runtime.service import ServiceHost

_SERVICES = (SAMPLE, STATEFUL_SAMPLE, *CLUSTER_SERVICES)


class _NotingHost(ServiceHost):
    """Prints when its service is paused for a rollout, and when it has resumed."""

    def note_pause(self, rollout: str | None) -> None:
        now = time.monotonic_ns()
        super().note_pause(rollout)
        sys.stdout.write(f"{'resumed' if rollout is None else 'paused'} {now}\n")
        sys.stdout.flush()


async def _begin(name: str, settings: Settings, network: Network, stack: AsyncExitStack) -> str:
    [service] = [one for one in _SERVICES if one.name == name]
    folder = DataFolder(settings.instance_folder(network.instance.id))
    stack.callback(folder.close)
    # other topics than those are not made: the start would be longer
    infrastructure = with_admissions(
        await make_infrastructure(settings, network, folder.path, stack, services=_SERVICES)
    )
    infrastructure = await with_sessions(infrastructure, [service], settings, folder.path, stack)
    service = with_checks(service, infrastructure.discovery)
    host = _NotingHost(service, infrastructure, settings.host, settings.port)
    await start_host(host, network.instance.id, settings, infrastructure, stack)
    return f"http://{host.address}:{host.port}"


def main(arguments: str) -> None:
    """Run one service until SIGTERM. `arguments`: its name, settings and network as JSON."""
    name, settings, network = msgspec.json.decode(arguments, type=tuple[str, Settings, Network])
    configure(settings.log_level, settings.log_format)

    async def serve(ready: asyncio.Event, leaving: asyncio.Event) -> None:
        collect_rarely()
        async with AsyncExitStack() as stack:
            url = await _begin(name, settings, network, stack)
            started()
            click.echo(url)
            ready.set()
            await leaving.wait()

    guarded(lambda: run(run_until_signalled(serve)))


if __name__ == "__main__":
    main(sys.argv[1])
