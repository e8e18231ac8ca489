"""What anybody sees in Consul of an instance, by its HTTP API and by DNS."""

import pytest
from support.consul import HOST, Agent
from support.consul_discovery import followed, instance, well
from support.dns import Srv, srv

from bookshelf.discovery.consul.discovery import ConsulDiscovery

pytestmark = pytest.mark.needs("consul")


async def test_an_instance_is_in_the_catalogue_under_its_services_name(
    shared: Agent, discovery: ConsulDiscovery
) -> None:
    await discovery.register(instance("newbook-1", port=8081))
    async with followed(discovery) as seen:
        await seen.until(well("newbook-1"))
    assert sorted(shared.get("/v1/catalog/services")["newbook"]) == ["books", "newbook"]
    [found] = shared.get("/v1/catalog/service/newbook")
    assert (found["ServiceID"], found["ServiceAddress"], found["ServicePort"]) == ("newbook-1", HOST, 8081)
    assert found["ServiceMeta"] == {"bookshelf": "1"}


async def test_an_instance_is_found_by_dns(shared: Agent, discovery: ConsulDiscovery) -> None:
    await discovery.register(instance("newbook-1", port=8081))
    async with followed(discovery) as seen:
        await seen.until(well("newbook-1"))
        [found] = srv(HOST, shared.ports.dns, "newbook.service.consul")
        assert found.port == 8081
        assert found.target.endswith(".consul")
        assert [at.port for at in srv(HOST, shared.ports.dns, "books.newbook.service.consul")] == [8081]
        await discovery.report("newbook-1", "its log is away")
        await seen.until(well())
        assert srv(HOST, shared.ports.dns, "newbook.service.consul") == list[Srv]()


async def test_a_fault_is_the_note_of_its_check(shared: Agent, discovery: ConsulDiscovery) -> None:
    await discovery.register(instance("newbook-1"))
    await discovery.report("newbook-1", "the log: no broker answers")
    async with followed(discovery) as seen:
        await seen.until(well())
    [found] = shared.get("/v1/health/service/newbook")
    [check] = [check for check in found["Checks"] if check["ServiceID"]]
    assert (check["Status"], check["Output"]) == ("critical", "not ready: the log: no broker answers")


async def test_an_instance_in_maintenance_is_not_ready(shared: Agent, discovery: ConsulDiscovery) -> None:
    await discovery.register(instance("newbook-1"))
    await discovery.register(instance("newbook-2", port=8091))
    async with followed(discovery) as seen:
        await seen.until(well("newbook-1", "newbook-2"))
        shared.ask("PUT", "/v1/agent/service/maintenance/newbook-1?enable=true&reason=tried")
        await seen.until(well("newbook-2"))
        shared.ask("PUT", "/v1/agent/service/maintenance/newbook-1?enable=false")
        await seen.until(well("newbook-1", "newbook-2"))


async def test_an_instance_deregistered_by_hand_registers_again(
    shared: Agent, discovery: ConsulDiscovery
) -> None:
    await discovery.register(instance("newbook-1"))
    await discovery.register(instance("readbook-1"))
    async with followed(discovery) as seen:
        await seen.until(well("newbook-1", "readbook-1"))
        shared.ask("PUT", "/v1/agent/service/deregister/newbook-1")
        await seen.until(well("readbook-1"))
        await seen.until(well("newbook-1", "readbook-1"))
