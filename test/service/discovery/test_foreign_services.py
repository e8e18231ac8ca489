"""Services that someone else has written, and registered by hand."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.consul import HOST, Agent
from support.consul_discovery import followed, ids, instance, settings

from bookshelf.discovery.consul.agent import Agent as Asked
from bookshelf.discovery.consul.discovery import ConsulDiscovery
from bookshelf.discovery.consul.foreign_services import CombinedDiscovery, ForeignServices

pytestmark = pytest.mark.needs("consul")
META = {"openapi": "/openapi.json"}


@pytest.fixture
async def everyone(shared: Agent, discovery: ConsulDiscovery) -> AsyncIterator[CombinedDiscovery]:
    asked = Asked(settings(shared))
    strangers = ForeignServices(asked, 1.0, "openapi")
    following = asyncio.create_task(strangers.follow())
    yield CombinedDiscovery(discovery, strangers)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await asked.close()


def by_hand(agent: Agent, name: str, **more: Any) -> None:  # noqa: ANN401 (any JSON)
    service = {"ID": f"{name}-1", "Name": name, "Tags": ["guests"], "Address": HOST, "Port": 81, "Meta": META}
    agent.ask("PUT", "/v1/agent/service/register", service | more)


def has(*names: str) -> Any:  # noqa: ANN401 (a condition)
    return lambda snapshot: ids(snapshot) == set(names)


async def test_a_foreign_service_is_found_beside_ours_and_marked(
    shared: Agent, everyone: CombinedDiscovery
) -> None:
    async with followed(everyone) as seen:
        await everyone.register(instance("newbook-1"))
        await seen.until(has("newbook-1"))
        by_hand(shared, "guest")
        snapshot = await seen.until(has("newbook-1", "guest-1"))
        found = {one.id: one for one in snapshot.instances}
        assert [found[name].foreign for name in ("newbook-1", "guest-1")] == [False, True]
        assert (found["guest-1"].tags, found["guest-1"].port, found["guest-1"].meta) == (
            ("guests",),
            81,
            META,
        )
        shared.ask("PUT", "/v1/agent/service/deregister/guest-1")
        await seen.until(has("newbook-1"))


async def test_a_foreign_service_with_a_failing_check_is_not_ready(
    shared: Agent, everyone: CombinedDiscovery
) -> None:
    async with followed(everyone) as seen:
        by_hand(shared, "guest", Check={"CheckID": "own", "TTL": "60s", "Status": "critical"})
        shared.ask("PUT", "/v1/agent/check/pass/own")
        await seen.until(has("guest-1"))
        shared.ask("PUT", "/v1/agent/check/fail/own")
        await seen.until(has())
        shared.ask("PUT", "/v1/agent/check/pass/own")
        await seen.until(has("guest-1"))


@pytest.mark.parametrize(
    "changed",
    [{"Meta": {}}, {"Meta": {"version": "1"}}, {"Port": 0}, {"Tags": ["a\r\nb"]}, {"Address": "a/../b"}],
)
async def test_foreign_services_without_openapi_or_with_invalid_entries_are_ignored(
    shared: Agent, everyone: CombinedDiscovery, changed: dict[str, Any]
) -> None:
    async with followed(everyone) as seen:
        by_hand(shared, "quiet", **changed)
        by_hand(shared, "guest")
        assert ids(await seen.until(has("guest-1"))) == {"guest-1"}


async def test_a_foreign_service_with_the_id_of_one_of_ours_is_ignored(
    shared: Agent, everyone: CombinedDiscovery
) -> None:
    async with followed(everyone) as seen:
        await everyone.register(instance("newbook-1"))
        body = {"ID": "newbook-1", "Service": "fake", "Address": HOST, "Port": 9, "Meta": META}
        shared.ask("PUT", "/v1/catalog/register", {"Node": "other", "Address": HOST, "Service": body})
        by_hand(shared, "guest")
        snapshot = await seen.until(has("newbook-1", "guest-1"))
        shared.ask("PUT", "/v1/catalog/deregister", {"Node": "other"})
        assert {one.service for one in snapshot.instances} == {"newbook", "guest"}
