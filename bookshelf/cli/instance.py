"""Runs one instance of a service on Kafka and Consul: its folder, its infrastructure and its admin API."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from bookshelf.cli.listen import check_address, open_admin_api
from bookshelf.cli.networked import FindDiscovery, open_discovery, open_world
from bookshelf.config import Network, Settings
from bookshelf.cqrs.service import Service
from bookshelf.runtime.data_folder import DataFolder
from bookshelf.runtime.service import ServiceHost
from bookshelf.runtime.service_operations import ServiceOperations
from bookshelf.services import SERVICES


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
    folder = DataFolder(settings.instance_folder(network.instance.id or f"{service.name}-{settings.port}"))
    stack.callback(folder.close)
    world = await open_world(settings, network, folder.path, stack, find, services)
    host = ServiceHost(service, world, settings.host, settings.port)
    stack.push_async_callback(host.stop)
    await host.start()
    url = f"http://{host.address}:{host.port}"
    ports = {service.name: host.port}
    await open_admin_api(folder, url, stack, ServiceOperations((host,), world), ports)
    return url
