"""Runs one instance of a service on Kafka, Consul and a database, with its folder and its admin API."""

import os
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bookshelf.cli.callers import open_callers
from bookshelf.cli.domain import start_host, with_admissions, with_checks
from bookshelf.cli.infrastructure import OpenedPorts, assemble_infrastructure
from bookshelf.cli.keyring import open_shared_seals
from bookshelf.cli.listen import NOTICE_S, SocketListeners, allowed_hosts, check_address, open_admin_api
from bookshelf.cli.sessions import has_session_routes, with_sessions
from bookshelf.cli.start_secret import StartSecret
from bookshelf.cluster.services import CLUSTER_SERVICES
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import Network, Settings, WrongSetting, load, missing_extra
from bookshelf.cqrs.service import Service
from bookshelf.discovery.consul.discovery import ConsulDiscovery
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import HttpTransport, RemoteHandler
from bookshelf.log.kafka.settings import Topic
from bookshelf.runtime.clock import SystemClock
from bookshelf.runtime.data_folder import DataFolder
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.service import ServiceHost
from bookshelf.runtime.service_operations import ServiceOperations
from bookshelf.services import SERVICES
from bookshelf.storage.mariadb.address import is_mariadb
from bookshelf.storage.port import Storage
from bookshelf.storage.sqlite import SqliteStorage

if TYPE_CHECKING:
    from bookshelf.log.kafka.log import KafkaLog
    from bookshelf.storage.mariadb.storage import MariaDbStorage
    from bookshelf.storage.postgres.storage import PostgresStorage

#: The retention of command topics in seconds: less than the week after which Kafka forgets the offsets of an
#: idle group (offsets.retention.minutes), so that no command is read a second time after that.
ORDERS_S = 6 * 86400.0
FindDiscovery = Callable[[Network, AsyncExitStack], Awaitable[Discovery]]


async def open_discovery(network: Network, stack: AsyncExitStack) -> Discovery:
    """Connect to the Consul agent, waiting for it if needed. Raises `DiscoveryFault`."""
    return await ConsulDiscovery.enter(network.consul, stack)


def topics(services: Sequence[Service] = SERVICES) -> list[Topic]:
    """Return every topic that these services need, with its settings; without a domain, none for those."""
    cluster = load(ClusterSettings, os.environ)
    services = [service for service in services if cluster.cluster_domain or not service.needs_domain]
    if cluster.cluster_domain and any(has_session_routes(service) for service in services):
        services += [one for one in CLUSTER_SERVICES if one.name == "sessions" and one not in services]
    names = sorted({part.topic for service in services for part in service.runs})
    names += [
        topic
        for service in services
        for sender in service.senders
        for topic in (sender.answers, sender.dead_letters)
    ]
    taking = [part for service in services for part in service.aggregates if part.takes]
    children = {part.topic for service in services for part in service.aggregates if part.parent is not None}
    copied = {part.topic for service in services for part in service.aggregates if part.copied}
    kept_s = cluster.cluster_sessions_keep_days * 86400.0
    events = [Topic(name, kept_s if name in copied else None, by_parent=name in children) for name in names]
    return events + [Topic(part.commands, ORDERS_S, by_parent=part.parent is not None) for part in taking]


def kafka_log(needed_by: str) -> "type[KafkaLog]":
    """Return the adapter of Kafka. Raises `WrongSetting` without the extra that it needs."""
    try:
        from bookshelf.log.kafka.log import KafkaLog  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as fault:
        raise missing_extra(needed_by, fault, "kafka") from None
    return KafkaLog


async def open_log(
    network: Network, stack: AsyncExitStack, services: Sequence[Service] = SERVICES
) -> "KafkaLog":
    """Wait for a broker, and create missing topics. Raises `LogFault`, `WrongSetting`."""
    log = await kafka_log("bookshelf run").open(network.kafka, topics(services))
    stack.push_async_callback(log.close)
    return log


async def open_domain_log(network: Network, stack: AsyncExitStack) -> "KafkaLog":
    """Open the log for a node that runs no service. Raises `LogFault`, `WrongSetting`."""
    return await open_log(network, stack, CLUSTER_SERVICES)


async def open_storage(network: Network, path: Path, stack: AsyncExitStack) -> Storage:
    """Open the database, waiting for it, if one is set; else files in the folder. Raises `StorageFault`."""
    storage: Storage
    if not network.storage.url:
        storage = SqliteStorage(path / "views")
    else:
        storage = await shared_storage(network.storage.url).open(network.storage.url, network.storage.wait_s)
    stack.push_async_callback(storage.close)
    return storage


def shared_storage(url: str) -> "type[MariaDbStorage | PostgresStorage]":
    """Return the storage for an address. Raises `WrongSetting` without the extra that it needs."""
    extra = "mariadb" if is_mariadb(url) else "postgres"
    try:
        if extra == "mariadb":
            from bookshelf.storage.mariadb.storage import MariaDbStorage  # noqa: PLC0415 (an extra, as below)

            return MariaDbStorage
        from bookshelf.storage.postgres.storage import PostgresStorage  # noqa: PLC0415
    except ModuleNotFoundError as fault:
        raise missing_extra("the setting `storage`", fault, extra) from None
    return PostgresStorage


async def make_infrastructure(
    settings: Settings,
    network: Network,
    path: Path,
    stack: AsyncExitStack,
    find: FindDiscovery = open_discovery,
    services: Sequence[Service] = SERVICES,
) -> Infrastructure:
    """Open all ports that a service stands on; the stack closes them.

    `find` opens the discovery, by default Consul. `services` are those whose topics are needed.

    Raises `LogFault`, `DiscoveryFault`, `StorageFault`, `WrongSetting`.
    """
    log = await open_log(network, stack, services)
    discovery = await find(network, stack)
    storage = await open_storage(network, path, stack)
    transport = HttpTransport()
    stack.push_async_callback(transport.close)
    api = gateway_at(settings.site_api)
    stack.push_async_callback(api.close)
    clock, secret = SystemClock(), StartSecret(settings)
    seals = await open_shared_seals(settings, secret, network, clock, stack)
    opened = OpenedPorts(
        log=log,
        discovery=discovery,
        storage=storage,
        transport=transport,
        listen=SocketListeners(network, NOTICE_S, allowed_hosts=allowed_hosts(settings)).listen,
        api=api,
        callers=open_callers(settings, secret),
        clock=clock,
        seals=seals,
        partitions=network.kafka.partitions,
        node=network.instance.id,
        alone=False,
    )
    return await assemble_infrastructure(opened, settings, path, stack)


_GATEWAY = re.compile(r"https?://(\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?", re.ASCII)


def gateway_at(url: str) -> RemoteHandler:
    """Return the gateway at a URL as a handler. Raises `WrongSetting`."""
    if _GATEWAY.fullmatch(url) is None:
        raise WrongSetting("site_api (or BOOKSHELF_SITE_API): must be an address like http://gateway:8000")
    return RemoteHandler(url)


def check_domain(service: Service) -> None:
    """Return if a service of the context cluster has a domain. Raises `WrongSetting`."""
    if service.needs_domain and not load(ClusterSettings, os.environ).cluster_domain:
        msg = f"cluster_domain (or BOOKSHELF_CLUSTER_DOMAIN): {service.name} runs in a domain only; name one"
        raise WrongSetting(msg)


def check_keyring(service: Service, settings: Settings) -> None:
    """Return if a service that seals or signs has a setting that names its keyring. Raises `WrongSetting`."""
    if service.needs_keyring and not settings.has_accounts and not settings.accounts_secret_file:
        msg = f"accounts_secret_file (or BOOKSHELF_ACCOUNTS_SECRET_FILE): {service.name} needs a keyring"
        raise WrongSetting(f"{msg}; name the file that all services of the shop share, and set storage")


async def begin(
    service: Service,
    settings: Settings,
    network: Network,
    stack: AsyncExitStack,
    find: FindDiscovery = open_discovery,
    services: Sequence[Service] = SERVICES,
) -> str:
    """Run an instance until the stack is closed; return its URL once it is ready and its note is written.

    `services` are all that share the log; missing topics that they need are created.

    Raises `FolderFault`, `LogFault`, `DiscoveryFault`, `StorageFault`, `PortTaken`, `WrongSetting`.
    """
    check_address(network.instance.address, settings.host)
    check_keyring(service, settings)
    check_domain(service)
    folder = DataFolder(settings.instance_folder(network.instance.id or f"{service.name}-{settings.port}"))
    stack.callback(folder.close)
    infrastructure = await make_infrastructure(settings, network, folder.path, stack, find, services)
    infrastructure = with_admissions(infrastructure)
    infrastructure = await with_sessions(infrastructure, [service], settings, folder.path, stack)
    service = with_checks(service, infrastructure.discovery)
    host = ServiceHost(service, infrastructure, settings.host, settings.port)
    pages = await start_host(host, network.instance.id, settings, infrastructure, stack)
    url = f"http://{host.address}:{host.port}"
    operations, ports = ServiceOperations((host,), infrastructure), {service.name: host.port}
    await open_admin_api(folder, url, stack, operations, ports, pages=pages)
    return url
