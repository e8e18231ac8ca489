"""Settings and rules of a domain at a running gateway: applied, taken back, and the own ones restored."""

from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from support.upstream import FakeCluster, Service, openapi_document

from bookshelf.cli.domain_kinds import RunningGateway, make_kinds
from bookshelf.config import RELOADABLE, GatewaySettings
from bookshelf.cqrs.item import ItemChange, Kind, digest_of
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import LocalTransport
from bookshelf.http.message import request
from bookshelf.http.server import HttpServer
from bookshelf.runtime.agent.item import ItemRefused, LoadedItem
from gateway.app import Gateway
from gateway.ingress.listen import GatewayServer, ingress_policy
from gateway.ingress.middleware import Ingress
from gateway.options import GatewayOptions, Limits
from gateway.reload import ReloadableGateway

SETTINGS = """
gateway_deadline_s = 5
gateway_try_s = 3
gateway_hedge_s = 1
gateway_notice_s = 0.1
gateway_drain_s = 1
gateway_rate = "1/hour"
gateway_requests = 7
gateway_queue = 3
gateway_queue_s = 0.5
gateway_body = 20
gateway_total_s = 60
gateway_cors = "https://pages.example"
gateway_compress = false
gateway_access_log = false
"""


class Edge:
    """A gateway with its ingress, and the kinds of items that change both."""

    def __init__(self, path: Path) -> None:
        gate = GatewaySettings(gateway_body=100)
        self.policy = ingress_policy(gate)
        limits = Limits(self.policy, gate)
        discovery, transport = LocalDiscovery(), LocalTransport()
        options = GatewayOptions(rules=path, limits=limits.section)
        self.gateway = Gateway(discovery, transport, options=options)
        self.front = Ingress(self.gateway, self.policy)
        self.cluster = FakeCluster(self.gateway, discovery, transport)
        self.server = GatewayServer(HttpServer(self.front, "127.0.0.1", 0), None, None)
        self.server.notice_s, self.server.drain_s = gate.gateway_notice_s, gate.gateway_drain_s
        reloadable = ReloadableGateway(self.gateway, gate, self.policy, limits, self.server)
        self._kinds = make_kinds([], {}, RunningGateway(self.gateway, reloadable))

    async def apply(self, kind: Kind, text: str | None) -> LoadedItem:
        loaded = await self.load(kind, text)
        await loaded.deploy()
        return loaded

    async def load(self, kind: Kind, text: str | None) -> LoadedItem:
        digest = "" if text is None else digest_of(text.encode())
        action: Any = "remove" if text is None else "put"
        return await self._kinds[kind].load(ItemChange(kind, "", action, digest, text or ""))

    def state(self) -> tuple[object, ...]:
        """Return everything that settings and rules can change."""
        policy, limiter = self.policy, self.policy.concurrency
        return (
            *(policy.rate, policy.rate_limiter, policy.cors, policy.compression, policy.body),
            *(policy.total_s, policy.log, limiter.most, limiter.queue, limiter.wait_s),
            *(self.gateway.timeouts, self.server.notice_s, self.server.drain_s),
        )

    async def status(self, body: bytes = b"") -> int:
        sent = request("POST", "/bookshelf/books", body, Content_Length=str(len(body)))
        return (await self.front.handle(sent)).status


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    path = tmp_path / "rules.toml"
    path.write_text("[limits]\nbody = 50\n")
    made = Edge(path)
    await made.cluster.add(Service(openapi_document("books", ("books",), "POST /books")))
    await made.gateway.start()
    yield made
    await made.gateway.stop()


async def test_every_reloadable_setting_of_the_gateway_is_applied_and_undone_exactly(edge: Edge) -> None:
    before = edge.state()
    loaded = await edge.apply("settings", SETTINGS)
    after = edge.state()
    same = [one for one, two in zip(before, after, strict=True) if one == two]
    assert same == [50]  # the limit of bodies is that of the rules file
    named = {line.partition(" ")[0] for line in SETTINGS.strip().splitlines()}
    assert named == {name for name in RELOADABLE if name.startswith("gateway_")}
    await loaded.undo()
    assert edge.state() == before


async def test_removed_settings_leave_the_own_ones(edge: Edge) -> None:
    own = edge.state()
    await edge.apply("settings", "gateway_queue = 9\ngateway_deadline_s = 1\n")
    await edge.apply("settings", "gateway_queue_s = 9\n")
    assert edge.policy.concurrency.queue == GatewaySettings().gateway_queue
    loaded = await edge.apply("settings", None)
    assert edge.state()[5:] == own[5:]
    await loaded.undo()
    assert edge.policy.concurrency.wait_s == 9


async def test_the_rules_of_the_domain_replace_the_file_and_undo_brings_it_back(edge: Edge) -> None:
    assert await edge.status(b"x" * 51) == 413
    loaded = await edge.apply("gateway", "[limits]\nbody = 60\n")
    assert (await edge.status(b"x" * 60), await edge.status(b"x" * 61)) == (200, 413)
    await loaded.undo()
    assert (await edge.status(b"x" * 50), await edge.status(b"x" * 51)) == (200, 413)


async def test_a_file_that_changes_meanwhile_is_in_force_once_the_domain_has_no_rules(
    edge: Edge, tmp_path: Path
) -> None:
    await edge.apply("gateway", '[[forbid]]\npath = "/books"\n')
    (tmp_path / "rules.toml").write_text("[limits]\nbody = 5\n")
    edge.gateway.reload()
    assert await edge.status() == 403
    await edge.apply("gateway", None)
    assert (await edge.status(b"x" * 5), await edge.status(b"x" * 6)) == (200, 413)


async def test_rules_and_settings_of_one_rollout_are_undone_in_any_order_of_both(edge: Edge) -> None:
    before = edge.state()
    for order in permutations(["settings", "gateway"]):
        texts = {"settings": SETTINGS, "gateway": '[limits]\nrate = "2/hour"\n'}
        loaded = [await edge.load(kind, texts[kind]) for kind in order]  # type: ignore[arg-type]
        for one in loaded:
            await one.deploy()
        assert (edge.policy.rate, edge.policy.body) == ("2/hour", 20)
        for one in reversed(loaded):
            await one.undo()
        assert edge.state() == before


async def test_counts_of_clients_survive_an_undone_change(edge: Edge) -> None:
    await edge.apply("settings", 'gateway_rate = "1/hour"\n')
    assert [await edge.status(), await edge.status()] == [200, 429]
    loaded = await edge.apply("settings", "")
    assert await edge.status() == 200
    await loaded.undo()
    assert await edge.status() == 429


async def test_a_rate_that_cannot_be_counted_is_refused_when_it_is_loaded(edge: Edge) -> None:
    before = edge.state()
    with pytest.raises(ItemRefused, match="gateway_rate"):
        await edge.load("settings", 'gateway_rate = "often"\n')
    with pytest.raises(ItemRefused) as refused:
        await edge.load("gateway", '[limits]\nrate = "often"\n')
    assert refused.value.problems[0].line == 1
    assert edge.state() == before


async def test_origins_of_the_settings_may_use_the_gateway(edge: Edge) -> None:
    await edge.apply("settings", 'gateway_cors = "https://pages.example"\n')
    sent = request("GET", "/bookshelf/books", Origin="https://pages.example")
    answer = await edge.front.handle(sent)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://pages.example"


async def test_a_process_without_a_gateway_checks_rules_and_applies_nothing() -> None:
    kind = make_kinds([], {})["gateway"]
    change = ItemChange("gateway", "", "put", "", "[limits]\nbody = 5\n")
    loaded = await kind.load(change)
    await loaded.deploy()
    await loaded.undo()
    with pytest.raises(ItemRefused):
        await kind.load(ItemChange("gateway", "", "put", "", "[limit]\n"))
