"""An instance whose process is killed: critical soon, out of all snapshots, and removed by Consul itself."""

import asyncio
import signal

import pytest
from support.consul import HOST, Agent
from support.consul_discovery import Registered, followed, opened, settings, well
from support.dns import srv
from support.until import until

pytestmark = [pytest.mark.needs("consul"), pytest.mark.chaos]
#: Consul removes no sooner than after a minute, and looks every half.
REMOVED_S = 120.0


async def test_a_killed_instance_leaves_snapshots_and_dns(agent: Agent, start: Registered) -> None:
    process = await asyncio.to_thread(start, agent, "newbook-1")
    await asyncio.to_thread(start, agent, "newbook-2")
    async with opened(settings(agent)) as discovery, followed(discovery) as seen:
        await seen.until(well("newbook-1", "newbook-2"))
        process.send_signal(signal.SIGKILL)
        await seen.until(well("newbook-2"))
        assert len(srv(HOST, agent.ports.dns, "newbook.service.consul")) == 1
        states = {check["ServiceID"]: check["Status"] for check in agent.get("/v1/health/checks/newbook")}
        assert states == {"newbook-1": "critical", "newbook-2": "passing"}


def test_a_dead_instance_is_deregistered_by_consul(buried: Agent) -> None:
    until(lambda: buried.get("/v1/catalog/service/newbook") == [], "Consul removes it", REMOVED_S)


async def test_a_killed_only_instance_is_removed(agent: Agent, start: Registered) -> None:
    process = await asyncio.to_thread(start, agent, "newbook-1")
    async with opened(settings(agent)) as discovery, followed(discovery) as seen:
        await seen.until(well("newbook-1"))
        process.send_signal(signal.SIGKILL)
        await seen.until(well())


async def test_a_suspended_instance_is_out_until_it_continues(agent: Agent, start: Registered) -> None:
    process = await asyncio.to_thread(start, agent, "newbook-1")
    await asyncio.to_thread(start, agent, "newbook-2")
    async with opened(settings(agent)) as discovery, followed(discovery) as seen:
        await seen.until(well("newbook-1", "newbook-2"))
        process.send_signal(signal.SIGSTOP)
        await seen.until(well("newbook-2"))
        process.send_signal(signal.SIGCONT)
        await seen.until(well("newbook-1", "newbook-2"))
