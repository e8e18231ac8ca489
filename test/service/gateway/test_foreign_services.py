"""A foreign service that is registered in a real Consul; and addresses that are never called."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from support.consul import Agent
from support.consul_discovery import opened, settings
from support.upstream import HOST, eventually, json_of, whole

from bookshelf.discovery.consul.agent import Agent as Asked
from bookshelf.discovery.consul.foreign_services import CombinedDiscovery, ForeignServices
from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Response, request
from gateway.app import Gateway
from gateway.options import GatewayOptions
from gateway.routing.directory import OPENAPI
from gateway.upstream.address_policy import AddressPolicy

pytestmark = pytest.mark.needs("consul")
DOCUMENT = (
    b'{"openapi":"3.0.3","info":{"title":"Guests"},"paths":{"/guests/{name}":{"get":{"summary":"one"}}}}'
)


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a server that knows nothing of us."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    body = (
        DOCUMENT if head.startswith("GET /docs/api.json ") else b"hello from " + head.split(" ")[1].encode()
    )
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
    await writer.drain()
    writer.close()


@pytest.fixture
async def guest_port() -> AsyncIterator[int]:
    server = await asyncio.start_server(talk, HOST, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def gateway(consul_agent: Agent) -> AsyncIterator[Gateway]:
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(opened(settings(consul_agent)))
        asked, reach = Asked(settings(consul_agent)), AddressPolicy(anywhere=False, loopback=True)
        stack.push_async_callback(asked.close)
        foreign_services = ForeignServices(asked, 10.0, OPENAPI)
        following = asyncio.create_task(foreign_services.follow())
        stack.callback(following.cancel)
        transport = HttpTransport(objection=reach.objection)
        stack.push_async_callback(transport.close)
        made = Gateway(
            CombinedDiscovery(ours, foreign_services), transport, options=GatewayOptions(address_policy=reach)
        )
        stack.push_async_callback(made.stop)
        await made.start()
        yield made
    consul_agent.clear()


def register(agent: Agent, port: int, address: str = HOST) -> None:
    meta = {"openapi": "/docs/api.json"}
    service = {"Name": "guests", "Tags": ["people"], "Address": address, "Port": port, "Meta": meta}
    agent.ask("PUT", "/v1/agent/service/register", service)


async def get(gateway: Gateway, path: str) -> Response:
    return await gateway.handle(request("GET", path))


async def test_a_foreign_service_is_routed_and_documented_without_a_restart(
    gateway: Gateway, consul_agent: Agent, guest_port: int
) -> None:
    assert (await get(gateway, "/bookshelf/guests/ann")).status == 503
    register(consul_agent, guest_port)
    await eventually(lambda: gateway.directory.can_route)
    answer = await get(gateway, "/bookshelf/guests/ann")
    assert (answer.status, await whole(answer)) == (200, b"hello from /guests/ann")
    assert list(json_of(await get(gateway, "/openapi.json"))["paths"]) == ["/guests/{name}"]


async def test_a_cloud_metadata_address_is_never_called_and_is_shown(
    gateway: Gateway, consul_agent: Agent
) -> None:
    register(consul_agent, 80, "169.254.169.254")
    await eventually(lambda: bool(gateway.directory.refused_instances))
    shown = json_of(await get(gateway, "/gateway"))
    assert shown["refused_instances"] == {"guests": "169.254.169.254 is a cloud's metadata service"}
    assert shown["routes"] == []


async def test_a_name_that_resolves_to_this_machine_is_not_called(guest_port: int) -> None:
    reach = AddressPolicy(anywhere=False)
    transport = HttpTransport(objection=reach.objection)
    gone = await _fault(transport, "localhost", guest_port)
    await transport.close()
    assert "this machine itself" in gone


async def _fault(transport: HttpTransport, address: str, port: int) -> str:
    try:
        await transport.send(address, port, request("GET", "/"))
    except Exception as fault:  # noqa: BLE001 (whichever)
        return str(fault)
    return ""
