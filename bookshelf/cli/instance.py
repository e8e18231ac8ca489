"""Runs one instance of a service on Kafka and Consul: its folder, its infrastructure and its admin API."""

import os
import re
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from bookshelf.cli.consul import open_discovery
from bookshelf.cli.listen import check_address
from bookshelf.cli.networked import FindDiscovery, open_world
from bookshelf.config import Network, Settings, WrongSetting
from bookshelf.cqrs.service import Service
from bookshelf.http.server.server import HttpServer
from bookshelf.runtime.admin import AdminApi
from bookshelf.runtime.data_folder import DataFolder, InstanceNote, running
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES

#: The admin API can be reached from this machine only.
_LOOPBACK = "127.0.0.1"
#: The subfolder of a data folder that has the folders of its instances.
_WITHIN = "run"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


def instance_folder(settings: Settings, name: str) -> Path:
    """Return the folder of an instance. Raises `WrongSetting` for an invalid name."""
    if not _NAME.fullmatch(name):
        msg = f"{name[:100]!r} is no instance's name: up to 100 letters, digits, points, - and _"
        raise WrongSetting(msg)
    return settings.folder / _WITHIN / name


def instances(settings: Settings) -> list[str]:
    """Return the names of the instances that run on this data folder now."""
    folders = (settings.folder / _WITHIN).glob("*")
    return sorted(folder.name for folder in folders if running(folder) is not None)


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
    check_address(network.address, settings.host)
    folder = DataFolder(instance_folder(settings, network.id or f"{service.name}-{settings.port}"))
    stack.callback(folder.close)
    world = await open_world(settings, network, folder.path, stack, find, services)
    host = ServiceHost(service, world, settings.host, settings.port)
    stack.push_async_callback(host.stop)
    await host.start()
    url = f"http://{host.address}:{host.port}"
    folder.announce(await _controlled(host, world, url, stack))
    return url


async def _controlled(
    host: ServiceHost, world: Infrastructure, url: str, stack: AsyncExitStack
) -> InstanceNote:
    token = secrets.token_urlsafe(32)
    admin = HttpServer(AdminApi((host,), world, token), _LOOPBACK, 0)
    await admin.start()
    stack.push_async_callback(admin.stop)
    return InstanceNote(os.getpid(), url, admin.host, admin.port, token, {host.service.name: host.port})
