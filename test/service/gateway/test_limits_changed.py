"""Limits that are changed while the gateway runs."""

from pathlib import Path

import pytest
from support.upstream import FakeCluster, Service, openapi_document

from bookshelf.config import GatewaySettings
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import LocalTransport
from bookshelf.http.message import request
from gateway.app import Gateway
from gateway.ingress.listen import ingress_policy
from gateway.ingress.middleware import Ingress, IngressPolicy
from gateway.options import GatewayOptions, parse_limits


class Limited:
    """A gateway behind its front, and the file that changes both."""

    def __init__(self, path: Path, gate: GatewaySettings) -> None:
        self.path = path
        self.policy: IngressPolicy = ingress_policy(gate)
        discovery, transport = LocalDiscovery(), LocalTransport()
        choices = GatewayOptions(rules=path, limits=parse_limits(self.policy, gate))
        self.gateway = Gateway(discovery, transport, options=choices)
        self.front = Ingress(self.gateway, self.policy)
        self.cluster = FakeCluster(self.gateway, discovery, transport)

    def say(self, text: str) -> None:
        self.path.write_text(text)
        self.gateway.reload()

    async def status(self, body: bytes = b"") -> int:
        sent = request("POST", "/bookshelf/books", body, Content_Length=str(len(body)))
        return (await self.front.handle(sent)).status


@pytest.fixture
async def limited(tmp_path: Path) -> Limited:
    path = tmp_path / "rules.toml"
    path.write_text("[limits]\nbody = 10\n")
    made = Limited(path, GatewaySettings(gateway_body=100))
    await made.cluster.add(Service(openapi_document("books", ("books",), "POST /books")))
    await made.gateway.start()
    return made


async def test_the_rules_file_overrides_the_settings_while_it_has_the_limit(limited: Limited) -> None:
    assert (await limited.status(b"x" * 10), await limited.status(b"x" * 11)) == (200, 413)
    limited.say("[limits]\nbody = 20\n")
    assert (await limited.status(b"x" * 20), await limited.status(b"x" * 21)) == (200, 413)
    limited.say("")
    assert (await limited.status(b"x" * 100), await limited.status(b"x" * 101)) == (200, 413)
    await limited.gateway.stop()


async def test_limits_change_without_resetting_their_counters(limited: Limited) -> None:
    rate = '[limits]\nrate = "2/hour"\nrequests = 7\nqueue = 0\nqueue_s = 0.5\n'
    limited.say(rate)
    crowd = limited.policy.concurrency
    assert (crowd.most, crowd.queue, crowd.wait_s) == (7, 0, 0.5)
    assert [await limited.status(), await limited.status(), await limited.status()] == [200, 200, 429]
    limited.say(rate + "body = 5\n")
    assert await limited.status() == 429
    limited.say('[limits]\nrate = ""\n')
    assert await limited.status() == 200
    assert crowd.most == GatewaySettings().gateway_requests
    await limited.gateway.stop()


@pytest.mark.parametrize(
    "wrong",
    ["requests = 0", 'body = "much"', 'rate = "often"', "reqests = 5", "requests = 5\n[allow]\na = 1"],
)
async def test_invalid_limits_change_nothing(limited: Limited, wrong: str) -> None:
    limited.say(f'[[forbid]]\npath = "/books"\n[limits]\n{wrong}\n')
    assert await limited.status() == 200
    assert limited.policy.body == 10
    await limited.gateway.stop()
