"""Runs all services and the gateway in this process, on one data folder."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from bookshelf.cli.callers import bind_key, open_callers
from bookshelf.cli.command import on_hangup
from bookshelf.cli.domain import is_ready_alone, join_domain, with_checks
from bookshelf.cli.infrastructure import OpenedPorts, assemble_infrastructure
from bookshelf.cli.keyring import open_embedded_seals
from bookshelf.cli.listen import LOOPBACK, allowed_hosts
from bookshelf.cli.node_console import NodeConsole
from bookshelf.cli.sessions import with_sessions
from bookshelf.cli.start_secret import StartSecret
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import GatewaySettings, Settings, load
from bookshelf.cqrs.service import Service, check_services
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import HttpTransport, LocalTransport
from bookshelf.http.message import Handler
from bookshelf.http.server import PortTaken
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.admin import AdminApi
from bookshelf.runtime.clock import Clock, SystemClock
from bookshelf.runtime.data_folder import DataFolder, InstanceNote
from bookshelf.runtime.infrastructure import (
    Infrastructure,
    InProcessListeners,
    LateHandler,
    Listen,
    Listener,
    PortlessListeners,
)
from bookshelf.runtime.service import ServiceHost
from bookshelf.runtime.service_operations import ServiceOperations
from bookshelf.services import SERVICES
from bookshelf.storage.sqlite import SqliteStorage
from gateway.app import Gateway
from gateway.ingress.listen import GatewayServer, ingress_policy, open_gateway_server, verifier
from gateway.options import Limits, read_options
from gateway.reload import ReloadableGateway

#: The name of this process as a node of its domain.
NODE = "shelf"
_SHOWN_AS_LOCALHOST = frozenset({LOOPBACK, "0.0.0.0", "::", "::1"})  # noqa: S104 (only shown)
_logger = structlog.get_logger(__name__)


class Embedded:
    """A running bookshelf in this process: its services, its gateway and its admin API."""

    def __init__(
        self,
        services: tuple[ServiceHost, ...],
        gateway: Gateway,
        server: GatewayServer,
        admin: AdminApi,
        token: str,
        infrastructure: Infrastructure,
    ) -> None:
        self.services = services
        self.log = infrastructure.log
        self.callers = infrastructure.callers
        #: The ports of the services; none while there are accounts.
        open_ports = not self.callers.has_accounts
        self.ports: dict[str, int] = {h.service.name: h.port for h in services} if open_ports else {}
        self.gateway = gateway
        self.admin = admin
        host = "localhost" if server.host in _SHOWN_AS_LOCALHOST else server.host
        self.url = f"{server.scheme}://{host}:{server.port}"
        self.port = server.port
        self.token = token


@asynccontextmanager
async def embedded(
    settings: Settings, services: Sequence[Service] = SERVICES, clock: Clock | None = None
) -> AsyncIterator[Embedded]:
    """Run these services and the gateway until the block ends; without accounts, or domain, those without.

    `clock` is the machine's, unless another one is given.

    Raises `FolderFault`, `LogFault`, `StorageFault`, `PortTaken`, `WrongSetting`, `ServiceConflict`.

    At the end all is stopped in reverse order: first the gateway, then the services together, the log last.
    """
    services = _wanted(services, settings)
    check_services([service.loaded() for service in services], {"gateway": Settings().port})
    async with AsyncExitStack() as stack:
        folder = DataFolder(settings.folder)
        stack.callback(folder.close)
        api = LateHandler()
        infrastructure = replace(await make_infrastructure(settings, folder.path, stack, clock), api=api)
        infrastructure = await with_sessions(infrastructure, services, settings, folder.path, stack)
        services = [with_checks(service, infrastructure.discovery, embedded=True) for service in services]
        hosts = _make_hosts(services, settings, infrastructure)
        await _begin(hosts, stack)
        gate = load(GatewaySettings, os.environ)
        policy = ingress_policy(gate, (settings.host, *allowed_hosts(settings)))
        limits = Limits(policy, gate)
        gateway = api.handler = _make_gateway(settings, gate, limits, infrastructure)
        policy.refuse = gateway.refuse
        whole = (gateway, ReloadableGateway(gateway, gate, policy, limits))
        pages = await join_domain(NODE, settings, hosts, infrastructure, stack, whole)
        await _register(hosts, stack)
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        on_hangup(gateway.reload)
        token = secrets.token_urlsafe(32)
        console = None if pages is None else NodeConsole(token, pages, folder.path)
        admin = AdminApi(token, ServiceOperations(hosts, infrastructure), console)
        listener = await infrastructure.listen(admin, LOOPBACK, 0)
        stack.push_async_callback(listener.stop)
        server = await open_gateway_server(gateway, gate, settings.host, settings.port, policy)
        stack.push_async_callback(server.stop)
        shelf = Embedded(hosts, gateway, server, admin, token, infrastructure)
        folder.announce(
            InstanceNote(os.getpid(), shelf.url, listener.host, listener.port, token, shelf.ports)
        )
        yield shelf


def _wanted(services: Sequence[Service], settings: Settings) -> Sequence[Service]:
    domain = load(ClusterSettings, os.environ).cluster_domain
    return [
        service
        for service in services
        if (settings.has_accounts or not service.needs_accounts) and (domain or not service.needs_domain)
    ]


def _make_gateway(
    settings: Settings, gate: GatewaySettings, limits: Limits, infrastructure: Infrastructure
) -> Gateway:
    options = read_options(
        gate, anywhere=True, host=settings.host, verifier=verifier(gate), limits=limits.section
    )
    options = replace(
        options, ids=infrastructure.ids, callers=infrastructure.callers, issuer=settings.accounts_issuer
    )
    # one process: a key of its own will do
    options = replace(options, bind_key=bind_key(settings, StartSecret(settings)) or _own_key)
    return Gateway(infrastructure.discovery, infrastructure.transport, options=options)


def _own_key() -> bytes:
    return secrets.token_bytes(32)


async def make_infrastructure(
    settings: Settings, path: Path, stack: AsyncExitStack, clock: Clock | None = None
) -> Infrastructure:
    """Open the infrastructure of the services in a data folder; the stack closes it."""
    log = await SqliteLog.open(path / "log.sqlite", settings.partitions)
    stack.push_async_callback(log.close)
    storage = SqliteStorage(path / "views")
    stack.push_async_callback(storage.close)
    transport = LocalTransport(HttpTransport())
    stack.push_async_callback(transport.close)
    clock = clock or SystemClock()
    # before the callers: the keyring and the secret file are created together
    secret = StartSecret(settings)
    seals = await open_embedded_seals(settings, secret, path, clock, stack)
    opened = OpenedPorts(
        log=log,
        discovery=LocalDiscovery(),
        storage=storage,
        transport=transport,
        listen=InProcessListeners(transport, allowed_hosts(settings)).listen,
        api=LateHandler(),
        callers=open_callers(settings, secret, creates=True),
        clock=clock,
        seals=seals,
        partitions=settings.partitions,
        node=NODE,
        alone=True,
    )
    return await assemble_infrastructure(opened, settings, path, stack)


def _or_free_port(listen: Listen) -> Listen:
    """Return a function that listens on any free port, with a warning, if the given one is taken."""

    async def open_listener(handler: Handler, host: str, port: int) -> Listener:
        try:
            return await listen(handler, host, port)
        except PortTaken as fault:
            if not port:
                raise
            listener = await listen(handler, host, 0)
            _logger.warning("port-taken", why=str(fault), instead=listener.port)
            return listener

    return open_listener


def _make_hosts(
    services: Sequence[Service], settings: Settings, infrastructure: Infrastructure
) -> tuple[ServiceHost, ...]:
    fixed = settings.service_ports == "fixed"
    listen = _or_free_port(infrastructure.listen)
    if infrastructure.callers.has_accounts:
        assert isinstance(infrastructure.transport, LocalTransport)  # noqa: S101 (made here)
        listen = PortlessListeners(infrastructure.transport).listen
    infrastructure = replace(infrastructure, listen=listen)
    # whatever the gateway's address is: on these ports there are no limits, rules or identities
    return tuple(ServiceHost(s, infrastructure, LOOPBACK, s.port if fixed else 0) for s in services)


async def _begin(hosts: Sequence[ServiceHost], stack: AsyncExitStack) -> None:
    """Start the services that wait for no domain; the others listen, but are not registered."""
    stack.push_async_callback(_stop, hosts)
    async with asyncio.TaskGroup() as starting:
        for host in hosts:
            starting.create_task(host.start() if is_ready_alone(host.service) else host.open())


async def _register(hosts: Sequence[ServiceHost], stack: AsyncExitStack) -> None:
    """Start the services that wait for a domain; they are deregistered before the node leaves it."""
    waiting = [host for host in hosts if not is_ready_alone(host.service)]
    stack.push_async_callback(_stop, waiting)
    async with asyncio.TaskGroup() as starting:
        for host in waiting:
            starting.create_task(host.start())


async def _stop(hosts: Sequence[ServiceHost]) -> None:
    """Stop services together: the port of each stays open for the connections that clients have begun."""
    ended = await asyncio.gather(*(host.stop() for host in hosts), return_exceptions=True)
    if faults := [fault for fault in ended if isinstance(fault, BaseException)]:
        raise faults[0]
