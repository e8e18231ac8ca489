"""A real Consul agent keeps the contract."""

from collections.abc import AsyncIterator

import pytest
from contract.discovery_contract import DiscoveryContract
from support.consul import Agent
from support.consul_discovery import settings

from bookshelf.discovery.consul.discovery import ConsulDiscovery

pytestmark = pytest.mark.needs("consul")


@pytest.fixture
async def discovery(consul_agent: Agent) -> AsyncIterator[ConsulDiscovery]:
    opened = await ConsulDiscovery.open(settings(consul_agent))
    yield opened
    await opened.close()
    consul_agent.clear()


class TestConsulDiscovery(DiscoveryContract):
    """All of it through the agent's HTTP API."""
