"""Agents that a test may be rough with, and processes that have registered."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest
from support import consul
from support.consul import Agent
from support.consul_discovery import Registered, opened, registered, settings

from bookshelf.discovery.consul.discovery import ConsulDiscovery


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what waits for Consul's own minute last of this folder: the minute passes meanwhile."""
    items.sort(key=lambda item: "buried" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def _buried() -> Iterator[Agent]:
    with consul.running() as agent:
        with registered(agent, "newbook-1"):
            pass
        yield agent


@pytest.fixture
def buried(_buried: Agent) -> Agent:
    """An agent on which newbook-1 was killed when the first of these tests began."""
    return _buried


@pytest.fixture
def agent() -> Iterator[Agent]:
    """An agent of one test's own: to kill, to pause."""
    with consul.running() as running:
        yield running


@pytest.fixture
def shared(consul_agent: Agent) -> Iterator[Agent]:
    """The agent of all tests, without services before and after."""
    yield consul_agent
    consul_agent.clear()


@pytest.fixture
async def discovery(shared: Agent) -> AsyncIterator[ConsulDiscovery]:
    """Discovery by the agent of all tests."""
    async with opened(settings(shared)) as found:
        yield found


@pytest.fixture
def start() -> Iterator[Registered]:
    """Start processes that register an instance, and are killed at the end if not before."""
    with ExitStack() as processes:
        yield lambda agent, name: processes.enter_context(registered(agent, name))
