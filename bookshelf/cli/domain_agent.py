"""Puts together the agent that makes this process a node of its domain."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from bookshelf import __version__
from bookshelf.cli.domain_kinds import RunningGateway, make_kinds
from bookshelf.cluster.handlers import AGENT_COMMANDS
from bookshelf.cluster.node import DomainNode, node_name
from bookshelf.cluster.settings import ROLLOUTS, ClusterSettings
from bookshelf.concurrency import cancel_and_wait
from bookshelf.config import load
from bookshelf.cqrs.item import Kind
from bookshelf.runtime.agent.agent import NodeAgent
from bookshelf.runtime.agent.domain_client import DomainClient
from bookshelf.runtime.agent.eviction import evict_absent_nodes
from bookshelf.runtime.agent.item import ItemKind
from bookshelf.runtime.agent.package_kind import NoPackageKind
from bookshelf.runtime.agent.pause import Pause, ServiceGate
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.service import ServiceHost
from gateway.app import Gateway
from gateway.reload import ReloadableGateway

#: The tag of the services of this context, which are never paused.
_NEVER_PAUSED = "cluster"
#: Why `bookshelf up` loads no packages: the embedded log has one writing process (decision 0006).
_ONE_PROCESS = "the embedded log has one process; service groups need Kafka and `bookshelf node`"


async def open_agent(
    name: str,
    hosts: Sequence[ServiceHost],
    infrastructure: Infrastructure,
    stack: AsyncExitStack,
    gateway: tuple[Gateway, ReloadableGateway] | None = None,
) -> NodeAgent:
    """Run the agent of the node `name` until the stack is closed; return it.

    The hosts have started. Raises `LogFault`.
    """
    cluster = load(ClusterSettings, os.environ)
    now = infrastructure.clock.now
    client = DomainClient(
        infrastructure.discovery, infrastructure.transport, infrastructure.callers, ROLLOUTS, AGENT_COMMANDS
    )
    agent = _agent_of(
        name, hosts, infrastructure, client, None if gateway is None else RunningGateway(*gateway), cluster
    )
    await agent.start()
    stack.push_async_callback(agent.stop)
    if any(host.service.tags == ROLLOUTS for host in hosts):
        evicting = evict_absent_nodes(agent.machine, infrastructure.discovery, client.send, now)
        stack.push_async_callback(cancel_and_wait, asyncio.create_task(evicting))
    return agent


def _agent_of(
    name: str,
    hosts: Sequence[ServiceHost],
    infrastructure: Infrastructure,
    client: DomainClient,
    gateway: RunningGateway | None,
    cluster: ClusterSettings,
) -> NodeAgent:
    """Return the agent, with a gate before each service that a rollout can pause."""
    services = [host.service.name for host in hosts]
    address = f"http://{hosts[0].address}:{hosts[0].port}"
    machine = DomainNode(node_name(name), infrastructure.ids.new(), address, services, __version__)
    callers = infrastructure.callers
    gates = {
        host.service.name: ServiceGate(host.service.name, PolicyGate(callers), machine.revision_of)
        for host in hosts
        if host.service.tags[0] != _NEVER_PAUSED
    }
    policies = {service: gate.policy for service, gate in gates.items()}
    kinds = _kinds_of(hosts, infrastructure, policies, gateway)
    agent = NodeAgent(
        cluster.cluster_domain,
        machine,
        infrastructure.log,
        kinds,
        Pause(gates),
        client.send,
        infrastructure.clock.now,
        drain_s=cluster.cluster_drain_s,
        contact_s=cluster.contact_s,
    )
    for host in hosts:
        if host.service.name in gates:
            host.api.around = gates[host.service.name].around
            host.hold = lambda: agent.fault
    return agent


def _kinds_of(
    hosts: Sequence[ServiceHost],
    infrastructure: Infrastructure,
    policies: Mapping[str, PolicyGate],
    gateway: RunningGateway | None,
) -> dict[Kind, ItemKind]:
    discovery = infrastructure.discovery
    kinds = make_kinds(
        [host.service for host in hosts],
        policies,
        gateway,
        # services of groups, which nodes run elsewhere
        others=lambda: dict.fromkeys(instance.service for instance in discovery.snapshot().instances),
    )
    kinds["package"] = NoPackageKind("" if gateway is None else _ONE_PROCESS)
    return kinds
