"""An agent, or what stands before it, that answers wrongly: the last good answer holds."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest
from support.consul import HOST, Agent
from support.consul_discovery import BRISK, Seen, followed, ids, instance, opened, settings, well
from support.consul_proxy import ConsulProxy, Wrong, consul_proxy, hangs, responds
from support.upstream import eventually

from bookshelf.discovery.consul.discovery import ConsulDiscovery
from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.discovery.port import DiscoveryFault, Snapshot

pytestmark = [pytest.mark.needs("consul"), pytest.mark.chaos]
NAMES = ("newbook-1", "readbook-1")
WRONG = {
    "500": responds(500, "No cluster leader"),
    "429": responds(429, "Too many requests"),
    "hung": hangs,
    "no JSON": responds(200, "<html>It works</html>", X_Consul_Index="7"),
    "an object": responds(200, "{}", X_Consul_Index="7"),
    "deep JSON": responds(200, "[" * 100_000, X_Consul_Index="7"),
    "a redirect": responds(302, "", Location="http://127.0.0.1:1/"),
    "too much": responds(200, "[" + " " * (17 * 1024 * 1024) + "]", X_Consul_Index="7"),
}


@dataclass
class ProxiedAgent:
    """Services at the agent, and a gateway's discovery behind a proxy."""

    consul_proxy: ConsulProxy
    gateway: ConsulDiscovery
    seen: Seen


@pytest.fixture
async def proxied(shared: Agent) -> AsyncIterator[ProxiedAgent]:
    async with consul_proxy(shared.ports.http) as proxy, opened(settings(shared)) as services:
        for name in NAMES:
            await services.register(instance(name))
        async with opened(through(proxy)) as gateway, followed(gateway) as seen:
            await seen.until(well(*NAMES))
            yield ProxiedAgent(proxy, gateway, seen)


def through(proxy: ConsulProxy) -> ConsulSettings:
    return ConsulSettings(agent=f"{HOST}:{proxy.port}", pace=BRISK)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_the_last_good_answer_is_used_until_the_agent_answers_again(
    proxied: ProxiedAgent, wrong: Wrong
) -> None:
    proxied.consul_proxy.wrong = wrong
    await proxied.seen.until(lambda snapshot: snapshot.stale)
    assert ids(proxied.gateway.snapshot()) == set(NAMES)
    proxied.consul_proxy.wrong = None
    await proxied.seen.until(well(*NAMES))
    assert all(ids(snapshot) == set(NAMES) for snapshot in proxied.seen.all[1:])


@pytest.mark.parametrize("index", ["", "0", "-1", "99999", "1", "never"])
async def test_an_empty_answer_is_not_accepted_at_once(proxied: ProxiedAgent, index: str) -> None:
    proxied.consul_proxy.wrong = responds(200, "[]", X_Consul_Index=index)
    await proxied.seen.until(lambda snapshot: snapshot.stale)
    assert ids(proxied.gateway.snapshot()) == set(NAMES)
    proxied.consul_proxy.wrong = None
    await proxied.seen.until(well(*NAMES))
    assert all(ids(snapshot) == set(NAMES) for snapshot in proxied.seen.all[1:])


async def test_an_empty_answer_is_accepted_after_the_grace_period(proxied: ProxiedAgent) -> None:
    proxied.consul_proxy.wrong = responds(200, "[]", X_Consul_Index="99999")
    await proxied.seen.until(lambda snapshot: snapshot.stale)
    await proxied.seen.until(well())


async def test_kept_instances_stay_while_no_answer_arrives(proxied: ProxiedAgent) -> None:
    proxied.consul_proxy.wrong = responds(200, "[]", X_Consul_Index="99999")
    await proxied.seen.until(lambda snapshot: snapshot.stale)
    proxied.consul_proxy.wrong = hangs
    # sleep: longer than anyone is held against answers is what is tested
    await asyncio.sleep(BRISK.grace_s + 2 * BRISK.answer_s)
    assert ids(proxied.gateway.snapshot()) == set(NAMES)
    proxied.consul_proxy.wrong = responds(200, "[]", X_Consul_Index="99999")
    await proxied.seen.until(well())


async def test_blocking_queries_that_return_at_once_are_paced(proxied: ProxiedAgent) -> None:
    proxied.consul_proxy.wrong = responds(200, "[]", X_Consul_Index="99999")
    await proxied.seen.until(lambda snapshot: snapshot.stale)
    asked = proxied.consul_proxy.asked
    # sleep: the rate over a while is what is tested
    await asyncio.sleep(2)
    assert proxied.consul_proxy.asked - asked < 15


@pytest.mark.parametrize("wrong", [WRONG["500"], hangs], ids=["500", "hung"])
async def test_a_registration_waits_until_the_agent_answers(proxied: ProxiedAgent, wrong: Wrong) -> None:
    proxied.consul_proxy.wrong = wrong
    registering = asyncio.create_task(proxied.gateway.register(instance("booklist-1")))
    await proxied.seen.until(lambda snapshot: snapshot.stale)
    assert not registering.done()
    proxied.consul_proxy.wrong = None
    await asyncio.wait_for(registering, 15)
    await proxied.seen.until(well("booklist-1", *NAMES))


@pytest.mark.parametrize("wrong", [WRONG["500"], hangs], ids=["500", "hung"])
async def test_a_deregistration_does_not_wait_for_an_answer(proxied: ProxiedAgent, wrong: Wrong) -> None:
    await proxied.gateway.register(instance("booklist-1"))
    await proxied.seen.until(well("booklist-1", *NAMES))
    proxied.consul_proxy.wrong = wrong
    await asyncio.wait_for(proxied.gateway.report("booklist-1", "it leaves"), 10)
    await asyncio.wait_for(proxied.gateway.deregister("booklist-1"), 10)
    assert ids(proxied.gateway.snapshot()) == set(NAMES)
    proxied.consul_proxy.wrong = None
    await proxied.seen.until(well(*NAMES))


async def test_a_missing_agent_is_one_clear_line_after_the_deadline(shared: Agent) -> None:
    async with consul_proxy(shared.ports.http) as proxy:
        gone = proxy.port
    with pytest.raises(DiscoveryFault) as raised:
        await ConsulDiscovery.open(ConsulSettings(agent=f"{HOST}:{gone}", wait_s=0.5))
    assert str(raised.value).startswith(f"Consul at http://127.0.0.1:{gone} does not answer: ")
    assert str(raised.value).isprintable()


async def test_an_agent_that_comes_late_is_waited_for(shared: Agent) -> None:
    async with consul_proxy(shared.ports.http) as proxy:
        proxy.wrong = WRONG["500"]
        opening = asyncio.create_task(ConsulDiscovery.open(through(proxy)))
        await eventually(lambda: proxy.asked >= 3)
        assert not opening.done()
        proxy.wrong = None
        discovery = await asyncio.wait_for(opening, 15)
        assert discovery.snapshot() == Snapshot()
        await discovery.close()


async def test_an_unknown_datacenter_is_reported(shared: Agent) -> None:
    here = ConsulSettings(agent=f"{HOST}:{shared.ports.http}", datacenter="dc1")
    async with opened(here) as discovery:
        assert discovery.snapshot() == Snapshot()
    elsewhere = msgspec.structs.replace(here, datacenter="nowhere", wait_s=0.5)
    with pytest.raises(DiscoveryFault, match="No path to datacenter"):
        await ConsulDiscovery.open(elsewhere)
