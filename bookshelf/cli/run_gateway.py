"""Runs the gateway among many machines; it finds the services in Consul."""

import os
from contextlib import AsyncExitStack
from dataclasses import replace

from bookshelf.cli.consul import open_strangers
from bookshelf.cli.listen import allowed_hosts, check_address, found_at
from bookshelf.cli.loop import on_hangup
from bookshelf.cli.workers import WorkerPipe
from bookshelf.config import Network, Settings, read_gate, read_routing
from bookshelf.http.client.transport import HttpTransport
from gateway.app import Gateway
from gateway.ingress.limit_rules import parse_limits
from gateway.ingress.listen import ingress_policy, open_gateway_server, verifier
from gateway.options import read_options
from gateway.routing.document_client import OPENAPI


async def open_gateway(
    settings: Settings, network: Network, stack: AsyncExitStack, worker: WorkerPipe | None = None
) -> str:
    """Run the gateway until the stack is closed; return its URL once it listens.

    `worker`: which one this is of several processes at one port.

    Raises `DiscoveryFault`, `PortTaken`, `WrongSetting`.
    """
    check_address(network.address, settings.host)
    gate, routing = read_gate(os.environ), read_routing(os.environ)
    known = verifier(gate)
    discovery = await open_strangers(network, OPENAPI, stack)
    host = await found_at(network, settings.host)
    rules = ingress_policy(gate, (settings.host, host, *allowed_hosts(settings)))
    choices = read_options(
        routing, anywhere=False, host=host, verifier=known, limits=parse_limits(rules, gate)
    )
    if worker is not None:
        choices = replace(choices, process=worker.number, processes=worker.count)
    transport = HttpTransport(objection=choices.reach.objection)
    stack.push_async_callback(transport.close)
    gateway = Gateway(discovery, transport, choices=choices)
    stack.push_async_callback(gateway.stop)
    await gateway.start()
    on_hangup(gateway.reload)
    door = await open_gateway_server(
        gateway, gate, settings.host, settings.port, rules, shared=worker is not None
    )
    door.notice_s, door.drain_s = choices.notice_s, choices.drain_s
    stack.push_async_callback(door.stop)
    stack.callback(gateway.leave)
    return f"{door.scheme}://{host}:{door.port}"
