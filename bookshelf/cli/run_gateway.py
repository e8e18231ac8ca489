"""Runs the gateway among many machines; it finds the services in Consul."""

import os
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import structlog

from bookshelf.cli.callers import bind_key, open_callers
from bookshelf.cli.command import on_hangup
from bookshelf.cli.domain import has_domain
from bookshelf.cli.listen import allowed_hosts, check_address, found_at, open_admin_api
from bookshelf.cli.node_console import NodePages
from bookshelf.cli.start_secret import StartSecret
from bookshelf.cli.workers import WorkerPipe
from bookshelf.config import GatewaySettings, Network, Settings, load
from bookshelf.discovery.consul.foreign_services import CombinedDiscovery
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import HttpTransport
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.data_folder import DataFolder, FolderFault
from gateway.app import Gateway
from gateway.ingress.listen import ingress_policy, open_gateway_server, verifier
from gateway.options import Limits, read_options
from gateway.reload import ReloadableGateway
from gateway.routing.directory import OPENAPI

_logger = structlog.get_logger(__name__)


async def open_gateway(
    settings: Settings, network: Network, stack: AsyncExitStack, worker: WorkerPipe | None = None
) -> str:
    """Run the gateway until the stack is closed; return its URL once it listens.

    `worker`: which one this is of several processes at one port.

    Raises `DiscoveryFault`, `PortTaken`, `WrongSetting`.
    """
    check_address(network.instance.address, settings.host)
    gate = load(GatewaySettings, os.environ)
    known = verifier(gate)
    discovery = await CombinedDiscovery.enter(network.consul, OPENAPI, stack)
    host = await found_at(network, settings.host)
    rules = ingress_policy(gate, (settings.host, host, *allowed_hosts(settings)))
    limits = Limits(rules, gate)
    options = read_options(gate, anywhere=False, host=host, verifier=known, limits=limits.section)
    options = replace(
        options,
        callers=open_callers(settings, secret := StartSecret(settings)),
        issuer=settings.accounts_issuer,
        bind_key=bind_key(settings, secret),
    )
    if worker is not None:
        options = replace(options, process=worker.number, processes=worker.count)
    transport = HttpTransport(objection=options.address_policy.objection)
    stack.push_async_callback(transport.close)
    gateway = Gateway(discovery, transport, options=options)
    rules.refuse = gateway.refuse
    stack.push_async_callback(gateway.stop)
    await gateway.start()
    on_hangup(gateway.reload)
    server = await open_gateway_server(
        gateway, gate, settings.host, settings.port, rules, shared=worker is not None
    )
    server.notice_s, server.drain_s = options.notice_s, options.drain_s
    stack.push_async_callback(server.stop)
    running = (gateway, ReloadableGateway(gateway, gate, rules, limits, server))
    place = (host, server.port, 0 if worker is None else worker.number)
    ways = (discovery, options.callers, secret)
    pages = await _join(place, settings, network, running, ways, stack) if has_domain() else None
    url = f"{server.scheme}://{host}:{server.port}"
    name = network.instance.id or f"gateway-{server.port}"
    await _open_admin_api(settings, name, worker, url, stack, pages)
    stack.callback(gateway.leave)
    return url


async def _join(
    place: tuple[str, int, int],
    settings: Settings,
    network: Network,
    gateway: tuple[Gateway, ReloadableGateway],
    ways: tuple[Discovery, Callers, StartSecret],
    stack: AsyncExitStack,
) -> NodePages:
    """Make the gateway a node of its domain; return what its pages stand on, once it is a member.

    `place`: its host, its port and the number of its process, or 0. `ways`: what it finds the owner of the
    domain with, and authenticates itself. Until then requests wait. Raises `LogFault`, `WrongSetting`.
    """
    from bookshelf.cli.domain_agent import open_agent  # noqa: PLC0415 (only processes of a domain need it)
    from bookshelf.cli.domain_kinds import RunningGateway  # noqa: PLC0415 (as above)
    from bookshelf.cli.domain_node import AgentPorts, open_admissions  # noqa: PLC0415 (as above)
    from bookshelf.cli.instance import open_domain_log  # noqa: PLC0415 (as above)
    from bookshelf.cli.node_presence import NodePlace  # noqa: PLC0415 (as above)
    from bookshelf.cli.node_state import node_pages, report_on_hosts  # noqa: PLC0415 (as above)

    transport = HttpTransport()
    stack.push_async_callback(transport.close)
    discovery, callers, secret = ways
    ports = AgentPorts.on(await open_domain_log(network, stack), discovery, transport, callers)
    admissions = open_admissions(settings, secret)
    host, port, process = place
    name = network.instance.id or f"gateway-{host}-{port}"
    name = f"{name}-{process}" if process else name
    where = NodePlace(host=host, port=port, process=process, is_gateway=True)
    agent = await open_agent(name, where, admissions, (), ports, stack, RunningGateway(*gateway))
    await agent.joined()
    report = partial(report_on_hosts, agent, (), gateway[1])
    return node_pages(report, agent.domain, discovery, transport, ports.callers)


async def _open_admin_api(
    settings: Settings,
    name: str,
    worker: WorkerPipe | None,
    url: str,
    stack: AsyncExitStack,
    pages: NodePages | None,
) -> None:
    """Open the admin API; without a folder for its note, log that and go on: the gateway needs no data."""
    name = name if worker is None else f"{name}-{worker.number}"
    try:
        folder = DataFolder(settings.instance_folder(name))
    except FolderFault as fault:
        _logger.warning("admin-api-not-opened", why=str(fault))
        return
    stack.callback(folder.close)
    await open_admin_api(folder, url, stack, pages=pages)
