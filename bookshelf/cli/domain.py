"""Makes this process a node of its domain, if the setting `cluster_domain` names one."""

import os
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bookshelf.cli.start_secret import StartSecret
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import Settings, load
from bookshelf.cqrs.service import Service
from bookshelf.discovery.port import Discovery
from bookshelf.runtime.infrastructure import Infrastructure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bookshelf.cli.node_console import NodePages
    from bookshelf.runtime.service import ServiceHost
    from gateway.app import Gateway
    from gateway.reload import ReloadableGateway

#: The service that decides on rollouts.
ROLLOUTS_NAME = "rollouts"


def has_domain() -> bool:
    """Return True if this process is to be a node of a domain."""
    return bool(load(ClusterSettings, os.environ).cluster_domain)


def is_ready_alone(service: Service) -> bool:
    """Return True if a service is ready before its node is a member: the domain needs it, or is none."""
    return not has_domain() or service.needs_domain


def with_admissions(infrastructure: Infrastructure) -> Infrastructure:
    """Return the infrastructure of a process whose requests carry the gates that have admitted them."""
    if not has_domain():
        return infrastructure
    from bookshelf.runtime.agent.gate import AdmittedApi, AdmittedTransport  # noqa: PLC0415 (as below)

    transport = AdmittedTransport(infrastructure.transport)
    return replace(infrastructure, transport=transport, api=AdmittedApi(infrastructure.api))


def with_checks(service: Service, discovery: Discovery, *, embedded: bool = False) -> Service:
    """Return the service; the one that runs rollouts checks proposals as the nodes of the domain do."""
    if service.name != ROLLOUTS_NAME or not has_domain():
        return service
    from bookshelf.cli.domain_checks import with_proposal_checks  # noqa: PLC0415 (as below)

    return with_proposal_checks(service, discovery, embedded=embedded)


async def join_domain(
    name: str,
    settings: Settings,
    hosts: "Sequence[ServiceHost]",
    infrastructure: Infrastructure,
    stack: AsyncExitStack,
    gateway: "tuple[Gateway, ReloadableGateway] | None" = None,
) -> "NodePages | None":
    """Run the agent of the node `name` until the stack is closed; return once the node is a member.

    Returns what the pages of the node stand on. Without a domain that is None, nothing runs, and nothing is
    imported for it. The hosts listen. Raises `LogFault`, `WrongSetting`.
    """
    if not has_domain():
        return None
    from bookshelf.cli.domain_agent import (  # noqa: PLC0415 (only processes of a domain need it)
        open_agent,
        wait_until_member,
    )
    from bookshelf.cli.domain_kinds import RunningGateway  # noqa: PLC0415 (as above)
    from bookshelf.cli.domain_node import AgentPorts, open_admissions  # noqa: PLC0415 (as above)
    from bookshelf.cli.node_presence import NodePlace  # noqa: PLC0415 (as above)
    from bookshelf.cli.node_state import node_pages, report_on_hosts  # noqa: PLC0415 (as above)
    from bookshelf.cluster.node import node_name  # noqa: PLC0415 (as above)

    infrastructure.locks.name_after(node_name(name))
    place = NodePlace(host=hosts[0].address, port=hosts[0].port, is_gateway=gateway is not None)
    running = None if gateway is None else RunningGateway(*gateway)
    ports = AgentPorts.of(infrastructure)
    admissions = open_admissions(settings, StartSecret(settings))
    agent = await open_agent(name, place, admissions, hosts, ports, stack, running)
    await wait_until_member(agent, hosts)
    report = partial(report_on_hosts, agent, hosts, None if gateway is None else gateway[1])
    return node_pages(report, agent.domain, ports.discovery, ports.transport, ports.callers)


async def start_host(
    host: "ServiceHost", name: str, settings: Settings, infrastructure: Infrastructure, stack: AsyncExitStack
) -> "NodePages | None":
    """Start a service, until the stack is closed. In a domain it is ready only when this node is a member.

    The services that the domain itself needs are ready before that. `name`: of the node, empty for one that
    its port makes. Returns what the pages of the node stand on, None without a domain. Raises `PortTaken`,
    `LogFault`, `StorageFault`.
    """
    stack.push_async_callback(host.stop)
    is_needed = is_ready_alone(host.service)
    await (host.start() if is_needed else host.open())
    name = name or f"{host.service.name}-{host.address}-{host.port}"
    pages = await join_domain(name, settings, (host,), infrastructure, stack)
    if not is_needed:
        stack.push_async_callback(host.stop)  # it is deregistered before the node leaves the domain
        await host.start()
    return pages
