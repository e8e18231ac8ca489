"""The process of a service group, started by `bookshelf node`: imports a package and runs its services."""

import asyncio
import importlib
import os
import resource
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import click
import msgspec

from bookshelf.cli.command import collect_rarely
from bookshelf.cli.command import run as run_loop
from bookshelf.cli.domain import has_domain, with_admissions
from bookshelf.cli.instance import make_infrastructure, open_discovery
from bookshelf.cli.listen import LOOPBACK
from bookshelf.cli.sessions import with_sessions
from bookshelf.cluster.package_services import with_manifest
from bookshelf.cluster.packages import MANIFEST, read_manifest
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import InstanceSettings, Network, Settings, load, read, read_network
from bookshelf.cqrs.service import Service, check_services
from bookshelf.discovery.port import Discovery
from bookshelf.runtime.agent.child import ChildReport, ChildServices, NodeLine, ReportedDiscovery
from bookshelf.runtime.agent.gate import carry_admission
from bookshelf.runtime.logs import configure
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES


class NoServices(Exception):
    """The entry of a package is no tuple of services."""


@click.command(hidden=True)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("entry")
@click.argument("data", type=click.Path(file_okay=False, path_type=Path))
@click.argument("line", type=int)
def child(folder: Path, entry: str, data: Path, line: int) -> None:
    """Run the services of a package for a node; LINE is a descriptor of the socket to it."""
    most = load(ClusterSettings, os.environ).cluster_package_memory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    settings = read(os.environ, host=LOOPBACK, port=0)
    data.mkdir(parents=True, exist_ok=True)
    configure(settings.log_level, settings.log_format)
    run_loop(_run(folder, entry, data, line, settings))


async def _run(folder: Path, entry: str, data: Path, line: int, settings: Settings) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=line))
    node = NodeLine(reader, writer)
    try:
        async with AsyncExitStack() as stack:
            services = await _load(folder, entry, data, settings, node, stack)
            collect_rarely()
            await services.obey(node.commands())
    except Exception as fault:  # noqa: BLE001 (whatever the package raises is the reason of the refusal)
        node.report(ChildReport("refused", why=f"{type(fault).__name__}: {fault}"[:1000]))
    finally:
        await node.close()


async def _load(
    folder: Path, entry: str, data: Path, settings: Settings, node: NodeLine, stack: AsyncExitStack
) -> ChildServices:
    """Import the package, and load its services. Raises whatever the package raises, `ServiceConflict`."""
    declared = import_services(folder, entry)
    check_services([*(one.loaded() for one in SERVICES), *declared], {"gateway": Settings().port})
    network = _own_network()

    async def find(network: Network, stack: AsyncExitStack) -> Discovery:
        return ReportedDiscovery(await open_discovery(network, stack), node.report)

    infrastructure = await make_infrastructure(settings, network, data, stack, find, declared)
    infrastructure = with_admissions(infrastructure)
    infrastructure = await with_sessions(infrastructure, declared, settings, data, stack)

    def hosts() -> Sequence[ServiceHost]:
        made = [ServiceHost(service, infrastructure, LOOPBACK, 0) for service in declared]
        for host in made if has_domain() else ():
            host.api.around = carry_admission
        return made

    services = ChildServices(hosts, node.report)
    stack.push_async_callback(services.stop)
    await services.load()
    return services


def import_services(folder: Path, entry: str) -> tuple[Service, ...]:
    """Import the entry of an unpacked package; return its services as a process runs them.

    What the package's manifest sets applies to them. Raises `NoServices`, `BadPackage`, or what the package
    raises.
    """
    manifest = read_manifest((folder / MANIFEST).read_text(encoding="utf-8"))
    module, _, name = entry.partition(":")
    sys.path.append(str(folder))  # at the end: it replaces nothing
    importlib.invalidate_caches()
    services = getattr(importlib.import_module(module), name, None)
    if not isinstance(services, tuple) or not services or not all(isinstance(s, Service) for s in services):
        raise NoServices(f"{entry} is no tuple of services")
    return with_manifest((service.loaded() for service in services), manifest)


def _own_network() -> Network:
    """Return the settings of the node and its name, for ports on loopback only."""
    network = read_network(os.environ)
    return msgspec.structs.replace(network, instance=InstanceSettings(id=network.instance.id))
