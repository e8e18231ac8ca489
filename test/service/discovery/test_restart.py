"""An agent that dies, and comes back knowing nothing."""

import asyncio

import pytest
from support.consul import Agent
from support.consul_discovery import followed, ids, instance, opened, settings, well

pytestmark = [pytest.mark.needs("consul"), pytest.mark.chaos]
NAMES = ("booklist-1", "newbook-1", "newbook-2", "readbook-1")


async def test_during_an_outage_the_last_good_answer_is_used_as_stale(agent: Agent) -> None:
    async with opened(settings(agent)) as discovery, followed(discovery) as seen:
        await discovery.register(instance("newbook-1"))
        await seen.until(well("newbook-1"))
        agent.kill()
        await seen.until(lambda snapshot: snapshot.stale)
        assert ids(discovery.snapshot()) == {"newbook-1"}
        assert [found.id for found in discovery.snapshot().having(["books"])] == ["newbook-1"]


@pytest.mark.parametrize("rounds", [3])
async def test_after_a_restart_all_instances_register_again_without_a_gap(agent: Agent, rounds: int) -> None:
    async with (
        opened(settings(agent)) as services,
        opened(settings(agent)) as gateway,
        followed(gateway) as seen,
    ):
        for name in NAMES:
            await services.register(instance(name))
        await seen.until(well(*NAMES))
        before = len(seen.all)
        for _ in range(rounds):
            agent.kill()
            await seen.until(lambda snapshot: snapshot.stale)
            await asyncio.to_thread(agent.start)
            await seen.until(well(*NAMES))
        assert all(ids(snapshot) == set(NAMES) for snapshot in seen.all[before:])
        assert set(agent.get("/v1/agent/services")) == set(NAMES)


async def test_an_instance_that_left_during_an_outage_is_removed_after_it(agent: Agent) -> None:
    async with (
        opened(settings(agent)) as services,
        opened(settings(agent)) as gateway,
        followed(gateway) as seen,
    ):
        await services.register(instance("newbook-1"))
        await services.register(instance("readbook-1"))
        await seen.until(well("newbook-1", "readbook-1"))
        agent.kill()
        await services.deregister("newbook-1")
        await asyncio.to_thread(agent.start)
        await seen.until(well("readbook-1"))
        assert set(agent.get("/v1/agent/services")) == {"readbook-1"}


async def test_a_fault_is_reported_again_to_a_restarted_agent(agent: Agent) -> None:
    async with (
        opened(settings(agent)) as services,
        opened(settings(agent)) as gateway,
        followed(gateway) as seen,
    ):
        await services.register(instance("newbook-1"))
        await services.register(instance("readbook-1"))
        await seen.until(well("newbook-1", "readbook-1"))
        agent.kill()
        await services.report("newbook-1", "its log is away")
        await asyncio.to_thread(agent.start)
        await seen.until(well("readbook-1"))
        await services.report("newbook-1", None)
        await seen.until(well("newbook-1", "readbook-1"))


async def test_changes_during_an_outage_are_reported_after_it(agent: Agent) -> None:
    async with (
        opened(settings(agent)) as services,
        opened(settings(agent)) as gateway,
        followed(gateway) as seen,
    ):
        await services.register(instance("newbook-1", port=8081))
        await seen.until(well("newbook-1"))
        agent.pause()
        await asyncio.wait_for(services.register(instance("newbook-1", port=8091)), 5)
        agent.resume()
        await seen.until(lambda snapshot: snapshot.instances == (instance("newbook-1", port=8091),))


async def test_a_paused_agent_removes_no_instance(agent: Agent) -> None:
    async with (
        opened(settings(agent)) as services,
        opened(settings(agent)) as gateway,
        followed(gateway) as seen,
    ):
        for name in NAMES:
            await services.register(instance(name))
        await seen.until(well(*NAMES))
        before = len(seen.all)
        agent.pause()
        await seen.until(lambda snapshot: snapshot.stale)
        # sleep: longer than the checks live, so that the agent takes everyone for dead when it goes on
        await asyncio.sleep(4)
        agent.resume()
        await seen.until(well(*NAMES))
        assert all(ids(snapshot) == set(NAMES) for snapshot in seen.all[before:])
