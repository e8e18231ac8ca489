"""`bookshelf node`: runs service groups, each in a process of its own, on Kafka and Consul."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from ssl import SSLContext
from typing import Any

import click
import msgspec

from bookshelf.cli.callers import open_callers
from bookshelf.cli.command import collect_rarely, guarded, run_until_signalled, started, stop
from bookshelf.cli.command import run as run_loop
from bookshelf.cli.instance import open_discovery
from bookshelf.cli.listen import NOTICE_S, allowed_hosts, check_address, found_at, open_admin_api
from bookshelf.cli.node_console import NodePages
from bookshelf.cli.node_operations import DomainOperations
from bookshelf.cli.node_packages import PackageFetcher, child_starter
from bookshelf.cli.node_state import node_pages, report_on_groups
from bookshelf.cli.start_secret import StartSecret
from bookshelf.cluster.node import node_name
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.concurrency import cancel_and_wait
from bookshelf.config import (
    GatewaySettings,
    Network,
    Settings,
    WrongSetting,
    load,
    read,
    read_network,
    with_port,
)
from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Handler
from bookshelf.http.server import HttpServer
from bookshelf.runtime.agent.gate import AdmittedTransport
from bookshelf.runtime.agent.groups import ServiceGroups
from bookshelf.runtime.agent.item import ItemRefused
from bookshelf.runtime.agent.package_kind import PackageKind
from bookshelf.runtime.data_folder import DataFolder
from bookshelf.runtime.logs import configure
from gateway.ingress.listen import BadCertificate, Certificate

#: The ports of a node without an offset: HTTP, HTTPS, and the admin API.
HTTP_PORT, HTTPS_PORT, ADMIN_PORT = 8140, 8141, 8142
#: Seconds until the answer to a proposal begins: the phases of a rollout take their time.
_ANSWER_S = 140.0


class NodePorts(msgspec.Struct, frozen=True):
    """The ports of a node; 0: any free one. It listens with HTTPS only if a certificate is set.

    `admin_host`: where the admin API is open with HTTPS; empty: on loopback only, without.
    """

    http: int
    https: int
    admin: int
    admin_host: str = ""


@click.command()
@click.option("--name", required=True, help="The name of this node, of its folder too.")
@click.option("--port-offset", type=click.IntRange(0, 50_000), default=0, help="Added to the ports below.")
@click.option("--http-port", type=click.IntRange(0, 65_535), help=f"{HTTP_PORT} by default; 0: any free one.")
@click.option("--https-port", type=click.IntRange(0, 65_535), help=f"{HTTPS_PORT}, with `gateway_tls_cert`.")
@click.option("--admin-port", type=click.IntRange(0, 65_535), help=f"{ADMIN_PORT}, of the admin API.")
@click.option(
    "--admin-host",
    metavar="ADDR",
    help="Open the admin API on this address too, with HTTPS, at --admin-port.",
)
@click.option("--load", "groups", metavar="A,B", help="Load these groups at the start, without a domain.")
@click.option("--broker", metavar="ADDR", help="A Kafka broker, like 127.0.0.1:9092; several with commas.")
@click.option("--consul", metavar="ADDR", help="The Consul agent, like 127.0.0.1:8500.")
@click.option("--host", help="The address to listen on; loopback by default.")
@click.option(
    "--addr", metavar="ADDR", help="The address that others find it at; auto: as the agent sees it."
)
@click.option("--data", metavar="DIR", help="The folder for rows, states and packages.")
def node(name: str, *, port_offset: int, groups: str | None, **given: Any) -> None:  # noqa: ANN401 (options)
    """Run a node for service groups, until SIGTERM or Ctrl-C."""

    def work() -> None:
        if groups and load(ClusterSettings, os.environ).cluster_domain:
            stop("--load is for a node without a domain; `bookshelf admin load` loads groups on all nodes")
        settings = read(os.environ, data=given["data"], host=given["host"])
        configure(settings.log_level, settings.log_format)
        network = _network(name, given["broker"], given["consul"], given["addr"])
        ports = NodePorts(
            _port(given["http_port"], HTTP_PORT + port_offset),
            _port(given["https_port"], HTTPS_PORT + port_offset),
            _port(given["admin_port"], ADMIN_PORT + port_offset),
            given["admin_host"] or "",
        )
        loaded = tuple(group.strip() for group in (groups or "").split(",") if group.strip())
        run_loop(_run(settings, network, ports, loaded))

    guarded(work)


def _port(given: int | None, usual: int) -> int:
    return usual if given is None else given


def _network(name: str, broker: str | None, consul: str | None, address: str | None) -> Network:
    brokers = broker and ",".join(with_port(one, "9092") for one in broker.split(","))
    agent = consul and with_port(consul, "8500")
    return read_network(os.environ, broker=brokers, consul=agent, address=address, id=name)


async def _run(settings: Settings, network: Network, ports: NodePorts, groups: tuple[str, ...]) -> None:
    async def serve(ready: asyncio.Event, leaving: asyncio.Event) -> None:
        collect_rarely()
        async with AsyncExitStack() as stack:
            opened = await open_node(settings, network, ports, stack)
            for group in groups:
                await _load(opened, group)
            admin = await _open_admin_api(opened, settings, ports, stack)
            started()
            click.echo(f"node {network.instance.id} is ready at {', '.join(opened.urls)}{admin}")
            ready.set()
            await leaving.wait()

    await run_until_signalled(serve)


async def _open_admin_api(
    opened: "OpenNode", settings: Settings, ports: NodePorts, stack: AsyncExitStack
) -> str:
    """Open the admin API; return where other machines find it, for the line that is printed."""
    local = 0 if ports.admin_host else ports.admin
    api = await open_admin_api(
        opened.folder, opened.urls[0], stack, opened.operations, port=local, pages=opened.pages
    )
    if not ports.admin_host:
        return ""
    tls = await _open_tls(stack)
    if tls is None:
        raise WrongSetting("--admin-host needs HTTPS: set gateway_tls_cert")
    names = (ports.admin_host, *allowed_hosts(settings))
    server = HttpServer(api, ports.admin_host, ports.admin, tls=tls, allowed_hosts=names)
    await server.start()
    stack.push_async_callback(server.stop)
    return f"; its admin API at https://{ports.admin_host}:{server.port}"


class OpenNode:
    """A running node: its groups, and what loads packages."""

    def __init__(
        self,
        kind: PackageKind,
        fetcher: PackageFetcher,
        urls: list[str],
        folder: DataFolder,
        operations: Handler | None,
        pages: NodePages,
    ) -> None:
        self.kind = kind
        self.fetcher = fetcher
        self.urls = urls
        self.folder = folder
        self.operations = operations
        self.pages = pages


async def _load(opened: OpenNode, name: str) -> None:
    """Load a group without a domain. Raises `WrongSetting`."""
    try:
        package = await opened.fetcher.newest(name)
        group = await opened.kind.start(name, package.digest)
        await group.child.activate(opened.kind.load_s)
    except ItemRefused as fault:
        raise WrongSetting(f"--load: {name}: {fault}") from None
    opened.kind.groups.put(group)


async def open_node(
    settings: Settings, network: Network, ports: NodePorts, stack: AsyncExitStack
) -> OpenNode:
    """Open the ports of a node, until the stack closes.

    Raises `FolderFault`, `DiscoveryFault`, `PortTaken`, `WrongSetting`.
    """
    check_address(network.instance.address, settings.host)
    cluster = load(ClusterSettings, os.environ)
    folder = DataFolder(settings.instance_folder(network.instance.id))
    stack.callback(folder.close)
    discovery = await open_discovery(network, stack)
    transport = HttpTransport()
    stack.push_async_callback(transport.close)
    groups = ServiceGroups(discovery, AdmittedTransport(transport))
    fetcher = PackageFetcher.of(cluster, folder.path / "packages")
    stack.push_async_callback(fetcher.close)
    start = child_starter(_environment(network, settings), folder.path / "groups", cluster.cluster_load_s)
    waits = cluster.cluster_load_s, cluster.cluster_standby_s
    kind = PackageKind(groups, folder.path / "unpacked", fetcher.fetch, start, *waits)
    urls = await _listen(groups, settings, network, ports, stack)
    running = asyncio.create_task(groups.run(), name="service groups")
    stack.callback(running.cancel)
    stack.push_async_callback(kind.close)
    operations: Handler | None = None
    agent, secret = None, StartSecret(settings)
    callers = open_callers(settings, secret)
    if cluster.cluster_domain:
        from bookshelf.cli.domain_node import open_admissions  # noqa: PLC0415 (only in a domain)
        from bookshelf.cli.node_agent import open_group_agent  # noqa: PLC0415 (as above)

        ways, admissions = (discovery, transport, callers), open_admissions(settings, secret)
        agent = await open_group_agent(network, kind, ways, admissions, stack)
        patient = HttpTransport(answer_s=_ANSWER_S)
        stack.push_async_callback(patient.close)
        operations = DomainOperations(discovery, patient, callers)
    report = partial(report_on_groups, node_name(network.instance.id), agent, groups)
    pages = node_pages(report, cluster.cluster_domain, discovery, transport, callers)
    return OpenNode(kind, fetcher, urls, folder, operations, pages)


async def _listen(
    groups: ServiceGroups, settings: Settings, network: Network, ports: NodePorts, stack: AsyncExitStack
) -> list[str]:
    """Listen with HTTP, and with HTTPS if there is a certificate; return the URLs."""
    address = await found_at(network, settings.host)
    names = (address, *allowed_hosts(settings))
    server = HttpServer(groups, settings.host, ports.http, allowed_hosts=names)
    await server.start()
    stack.push_async_callback(_leave, server)
    groups.address, groups.port = address, server.port
    urls = [f"http://{address}:{server.port}"]
    tls = await _open_tls(stack)
    if tls is not None:
        secure = HttpServer(groups, settings.host, ports.https, tls=tls, allowed_hosts=names)
        await secure.start()
        stack.push_async_callback(_leave, secure)
        urls.append(f"https://{address}:{secure.port}")
    return urls


async def _open_tls(stack: AsyncExitStack) -> SSLContext | None:
    """Return the context with the certificate of the settings, which is renewed with its file; None without.

    Raises `WrongSetting`.
    """
    gate = load(GatewaySettings, os.environ)
    if not gate.gateway_tls_cert:
        return None
    try:
        certificate = Certificate(
            Path(gate.gateway_tls_cert), Path(gate.gateway_tls_key or gate.gateway_tls_cert)
        )
    except BadCertificate as fault:
        raise WrongSetting(f"gateway_tls_cert: {fault}") from None
    stack.push_async_callback(cancel_and_wait, asyncio.create_task(certificate.watch(), name="certificate"))
    return certificate.context


async def _leave(server: HttpServer) -> None:
    server.leave()
    await asyncio.sleep(NOTICE_S)
    await server.stop()


def _environment(network: Network, settings: Settings) -> Mapping[str, str]:
    """Return the environment of the processes: that of the node, with what its command line has set."""
    return {
        **os.environ,
        "BOOKSHELF_ID": network.instance.id,
        "BOOKSHELF_BROKER": network.kafka.bootstrap,
        "BOOKSHELF_CONSUL": network.consul.agent,
        "BOOKSHELF_DATA": str(settings.folder),
        # threads share heaps: each new one would take 64 MiB of the address space
        "MALLOC_ARENA_MAX": "2",
    }
