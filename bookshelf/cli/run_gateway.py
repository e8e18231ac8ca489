"""Runs the gateway among many machines; it finds the services in Consul."""

import os
from contextlib import AsyncExitStack
from dataclasses import replace

import structlog

from bookshelf.cli.callers import bind_key, open_callers
from bookshelf.cli.command import on_hangup
from bookshelf.cli.listen import allowed_hosts, check_address, found_at, open_admin_api
from bookshelf.cli.start_secret import StartSecret
from bookshelf.cli.workers import WorkerPipe
from bookshelf.config import GatewaySettings, Network, Settings, load
from bookshelf.discovery.consul.foreign_services import CombinedDiscovery
from bookshelf.http.client import HttpTransport
from bookshelf.runtime.data_folder import DataFolder, FolderFault
from gateway.app import Gateway
from gateway.ingress.listen import ingress_policy, open_gateway_server, verifier
from gateway.options import parse_limits, read_options
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
    options = read_options(gate, anywhere=False, host=host, verifier=known, limits=parse_limits(rules, gate))
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
    url = f"{server.scheme}://{host}:{server.port}"
    await _open_admin_api(settings, network.instance.id or f"gateway-{server.port}", worker, url, stack)
    stack.callback(gateway.leave)
    return url


async def _open_admin_api(
    settings: Settings, name: str, worker: WorkerPipe | None, url: str, stack: AsyncExitStack
) -> None:
    """Open the admin API; without a folder for its note, log that and go on: the gateway needs no data."""
    name = name if worker is None else f"{name}-{worker.number}"
    try:
        folder = DataFolder(settings.instance_folder(name))
    except FolderFault as fault:
        _logger.warning("admin-api-not-opened", why=str(fault))
        return
    stack.callback(folder.close)
    await open_admin_api(folder, url, stack)
