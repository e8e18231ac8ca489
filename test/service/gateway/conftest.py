"""A gateway with services behind it: of its own process, or with sockets between."""

from collections.abc import AsyncIterator

import pytest
from support.gateway_sockets import GatewayOnSockets
from support.gateway_sockets import network as opened_street
from support.upstream import FakeCluster

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import HttpTransport, LocalTransport
from gateway.app import Gateway
from gateway.options import GatewayOptions
from gateway.upstream.call import CallTimeouts


@pytest.fixture
def paused() -> list[float]:
    """The seconds of each pause that the gateway made; none is really waited for."""
    return []


@pytest.fixture
async def cluster(paused: list[float]) -> AsyncIterator[FakeCluster]:
    async def pause(seconds: float) -> None:
        paused.append(seconds)

    discovery, transport = LocalDiscovery(), LocalTransport()
    patience = CallTimeouts(answer_s=0.6, try_s=0.05, piece_s=0.05)
    gateway = Gateway(discovery, transport, options=GatewayOptions(timeouts=patience), pause=pause)
    yield FakeCluster(gateway, discovery, transport)
    await gateway.stop()


@pytest.fixture
async def network() -> AsyncIterator[GatewayOnSockets]:
    async with opened_street() as found:
        yield found


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    found = HttpTransport()
    yield found
    await found.close()
