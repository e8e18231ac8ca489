"""Rules that are changed while the gateway runs."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.upstream import FakeCluster, Service, eventually, json_of, openapi_document

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import LocalTransport
from bookshelf.http.message import request
from gateway.app import Gateway
from gateway.options import GatewayOptions
from gateway.routing.rules import BadRules

CLOSED = '[[forbid]]\npath = "/books"\n'


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text("")
    return path


@pytest.fixture
async def cluster(rules: Path) -> AsyncIterator[FakeCluster]:
    discovery, transport = LocalDiscovery(), LocalTransport()
    gateway = Gateway(discovery, transport, options=GatewayOptions(rules=rules))
    cluster = FakeCluster(gateway, discovery, transport)
    await cluster.add(Service(openapi_document("books", ("books",), "GET /books", "GET /other")))
    await gateway.start()
    yield cluster
    await gateway.stop()


async def status(cluster: FakeCluster, path: str = "/bookshelf/books") -> int:
    return (await cluster.gateway.handle(request("GET", path))).status


async def test_rules_close_and_reopen_a_route_at_once(cluster: FakeCluster, rules: Path) -> None:
    assert await status(cluster) == 200
    rules.write_text(CLOSED)
    cluster.gateway.reload()
    assert (await status(cluster), await status(cluster, "/bookshelf/other")) == (403, 200)
    rules.write_text("")
    cluster.gateway.reload()
    assert await status(cluster) == 200


async def test_a_changed_rules_file_is_read_again(cluster: FakeCluster, rules: Path) -> None:
    fresh = rules.with_suffix(".new")
    fresh.write_text(CLOSED)
    os.replace(fresh, rules)  # noqa: PTH105 (as an editor does)
    await eventually(lambda: bool(cluster.gateway.directory.known.rules.forbid))
    assert await status(cluster) == 403


@pytest.mark.parametrize(
    "wrong", ["[[forbid]", "[[forbid]]\npath = 7", "[limit]\nx = 1", '[[forbid]]\npath = "/x"\nwhy = "?"']
)
async def test_an_invalid_rules_file_changes_nothing_and_is_shown(
    cluster: FakeCluster, rules: Path, wrong: str
) -> None:
    rules.write_text(CLOSED)
    cluster.gateway.reload()
    rules.write_text(wrong)
    cluster.gateway.reload()
    assert await status(cluster) == 403
    shown = json_of(await cluster.gateway.handle(request("GET", "/gateway")))
    assert str(rules) in shown["rules"]
    rules.write_text(CLOSED)
    cluster.gateway.reload()
    assert json_of(await cluster.gateway.handle(request("GET", "/gateway")))["rules"] is None


async def test_a_removed_rules_file_changes_nothing(cluster: FakeCluster, rules: Path) -> None:
    rules.write_text(CLOSED)
    cluster.gateway.reload()
    rules.unlink()
    cluster.gateway.reload()
    assert await status(cluster) == 403


async def test_a_gateway_does_not_start_with_rules_that_it_cannot_read(tmp_path: Path) -> None:
    gateway = Gateway(LocalDiscovery(), LocalTransport(), options=GatewayOptions(rules=tmp_path / "no.toml"))
    with pytest.raises(BadRules, match=r"no\.toml cannot be read: No such file"):
        await gateway.start()
    await gateway.stop()
