"""Opens ports that other machines reach: the address to register, allowed host names, graceful closing."""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from types import MappingProxyType

from bookshelf.cli.node_console import NodeConsole, NodePages
from bookshelf.config import Network, Settings, WrongSetting
from bookshelf.http.message import Handler
from bookshelf.http.request_check import parse_allowed_hosts
from bookshelf.http.server import HttpServer
from bookshelf.runtime.admin import AdminApi
from bookshelf.runtime.data_folder import DataFolder, InstanceNote
from bookshelf.runtime.infrastructure import Listener

#: The address of ports that only this machine reaches.
LOOPBACK = "127.0.0.1"
#: Seconds in which all gateways and instances learn from the agent that a service has left.
NOTICE_S = 0.5
#: The value of the setting `address` for which the address is derived from the way to the agent.
AUTO = "auto"
_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 (to refuse them as addresses to register)


def check_address(address: str, host: str) -> None:
    """Raise `WrongSetting` if other machines could not reach a port that listens on `host` at `address`."""
    if not address and host in _EVERYWHERE:
        msg = f"listening on {host} everywhere: name the address that others reach this machine at (--addr)"
        raise WrongSetting(msg)


def allowed_hosts(settings: Settings) -> list[str]:
    """Return the host names that requests may be sent to, beside the usual ones. Raises `WrongSetting`."""
    try:
        return parse_allowed_hosts(settings.allowed_hosts)
    except ValueError as fault:
        raise WrongSetting(f"allowed_hosts (or BOOKSHELF_ALLOWED_HOSTS): {fault}") from None


async def open_admin_api(  # noqa: PLR0913 (what the port is for)
    folder: DataFolder,
    url: str,
    stack: AsyncExitStack,
    operations: Handler | None = None,
    services: Mapping[str, int] = MappingProxyType({}),
    *,
    port: int = 0,
    pages: NodePages | None = None,
) -> Handler:
    """Open the admin API of this process, for its machine only, and note it in the process's folder.

    `url`: its URL; `services`: the ports of its services; `operations`: answers requests for them. `port`: 0
    for any free one. `pages`: what those below /console stand on; None for no pages. Returns what answers
    its requests. Raises `PortTaken`.
    """
    token = secrets.token_urlsafe(32)
    console = None if pages is None else NodeConsole(token, pages, folder.path)
    api = AdminApi(token, operations, console)
    server = HttpServer(api, LOOPBACK, port)
    await server.start()
    stack.push_async_callback(server.stop)
    folder.announce(InstanceNote(os.getpid(), url, server.host, server.port, token, dict(services)))
    return api


class _Noticed:
    """A listener that stays open for `notice_s` after `stop`, until all gateways know that it is closing."""

    def __init__(self, server: HttpServer, host: str, notice_s: float, drain_s: float) -> None:
        self.host = host
        self.port = server.port
        self._server = server
        self._notice_s = notice_s
        self._drain_s = drain_s

    async def stop(self) -> None:
        self._server.leave()
        await asyncio.sleep(self._notice_s)
        await self._server.stop(self._drain_s)


class SocketListeners:
    """Opens ports that other machines reach at a known address. They close `notice_s` after `stop`.

    `drain_s`: seconds that requests under way then have to end. `allowed_hosts`: names that requests may be
    sent to, beside that address.
    """

    def __init__(
        self,
        network: Network,
        notice_s: float = 0.0,
        drain_s: float = 5.0,
        allowed_hosts: Iterable[str] = (),
    ) -> None:
        self._network = network
        self._notice_s = notice_s
        self._drain_s = drain_s
        self._allowed_hosts = tuple(allowed_hosts)

    async def listen(self, handler: Handler, host: str, port: int) -> Listener:
        """Open a port, 0 for any. Raises `PortTaken`, `WrongSetting`."""
        check_address(self._network.instance.address, host)
        address = await found_at(self._network, host)
        server = HttpServer(handler, host, port, allowed_hosts=(address, *self._allowed_hosts))
        await server.start()
        return _Noticed(server, address, self._notice_s, self._drain_s)


async def found_at(network: Network, host: str) -> str:
    """Return the address at which other machines reach a port on `host`. Raises `WrongSetting`."""
    if network.instance.address == AUTO:
        return await own_address(network.consul.agent)
    return network.instance.address or host


async def own_address(agent: str) -> str:
    """Return this machine's address in the network of the agent (host:port), without sending anything.

    Raises `WrongSetting` if there is no way to the agent.
    """
    host, _, port = agent.rpartition(":")
    try:
        addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, target = addresses[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(target)  # for a datagram socket this only chooses the route
            return str(probe.getsockname()[0])
    except OSError as fault:
        msg = f"address: no way from here to {agent} ({fault.strerror}); name it with --addr"
        raise WrongSetting(msg) from None
