"""Opens service discovery with Consul, from the settings of one process."""

import asyncio
from contextlib import AsyncExitStack

from bookshelf.config import Network, WrongSetting
from bookshelf.discovery.consul.agent import Agent
from bookshelf.discovery.consul.discovery import ConsulDiscovery
from bookshelf.discovery.consul.foreign_services import CombinedDiscovery, ForeignServices
from bookshelf.discovery.consul.settings import ConsulSettings, Pace


async def open_discovery(network: Network, stack: AsyncExitStack) -> ConsulDiscovery:
    """Connect to the agent, waiting for it if needed. Raises `DiscoveryFault`."""
    discovery = await ConsulDiscovery.open(_consul(network))
    stack.push_async_callback(discovery.close)
    return discovery


async def open_strangers(network: Network, key: str, stack: AsyncExitStack) -> CombinedDiscovery:
    """Open a discovery that also finds foreign services whose metadata has this key.

    Waits for the agent if needed. Raises `DiscoveryFault`.
    """
    settings = _consul(network)
    ours = await open_discovery(network, stack)
    agent = Agent(settings)
    stack.push_async_callback(agent.close)
    strangers = ForeignServices(agent, settings.pace.wait_s, key)
    following = asyncio.create_task(strangers.follow(), name="strangers")
    stack.push_async_callback(_cancelled, following)
    return CombinedDiscovery(ours, strangers)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _consul(network: Network) -> ConsulSettings:
    address, _, port = network.consul.rpartition(":")
    return ConsulSettings(
        address=address,
        port=_port("consul", port),
        scheme=network.consul_scheme,
        token=network.consul_token,
        ca_file=network.consul_ca_file,
        datacenter=network.consul_datacenter,
        pace=Pace(patience_s=network.consul_wait_s),
    )


def _port(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 65535):  # noqa: PLR2004 (the highest port)
        raise WrongSetting(f"{name}: {text!r} is no port; write it like 127.0.0.1:8500")
    return int(text)
