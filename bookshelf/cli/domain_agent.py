"""Puts together the agent of a process that runs services, or the gateway, or all of them."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from bookshelf import __version__
from bookshelf.cli.domain_kinds import ONE_PROCESS, RunningGateway, make_kinds, services_elsewhere
from bookshelf.cli.domain_node import AgentPorts, make_agent, run_agent
from bookshelf.cli.node_presence import NodePlace
from bookshelf.cluster.node import DomainNode, node_name
from bookshelf.cluster.running import GATEWAY
from bookshelf.cluster.settings import ROLLOUTS, ClusterSettings
from bookshelf.concurrency import cancel_and_wait
from bookshelf.config import load
from bookshelf.cqrs.item import Kind
from bookshelf.runtime.agent.agent import NodeAgent
from bookshelf.runtime.agent.contact import LogContact
from bookshelf.runtime.agent.eviction import evict_absent_nodes
from bookshelf.runtime.agent.item import ItemKind
from bookshelf.runtime.agent.package_kind import NoPackageKind
from bookshelf.runtime.agent.pause import Pause, ServiceGate
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.service import ServiceHost

if TYPE_CHECKING:
    from bookshelf.runtime.agent.gate import Admissions, Gate

#: The tag of the services of this context, which are never paused.
_NEVER_PAUSED = "cluster"


def is_never_paused(host: ServiceHost) -> bool:
    """Return True for a service that the domain itself needs."""
    return host.service.tags[0] == _NEVER_PAUSED


async def open_agent(  # noqa: PLR0913, PLR0917 (what it stands on)
    name: str,
    place: NodePlace,
    admissions: "Admissions",
    hosts: Sequence[ServiceHost],
    ports: AgentPorts,
    stack: AsyncExitStack,
    gateway: RunningGateway | None = None,
) -> NodeAgent:
    """Run the agent of the node `name` until the stack is closed; return it while it joins.

    The hosts listen. Raises `LogFault`.
    """
    cluster = load(ClusterSettings, os.environ)
    services = [host.service.name for host in hosts] + ([] if gateway is None else [GATEWAY])
    machine = DomainNode(node_name(name), ports.ids.new(), place.address, services, __version__)
    gates = {
        host.service.name: ServiceGate(
            host.service.name, PolicyGate(ports.callers), machine.revision_of, admissions, host.note_pause
        )
        for host in hosts
        if not is_never_paused(host)
    }
    named: dict[str, Gate] = {**gates}
    if gateway is not None:
        gate = gateway.gateway.gate = gateway.gate(admissions)
        named[gate.name] = gate
    kinds = _kinds_of(hosts, ports, {one.name: one.policy for one in gates.values()}, gateway)
    agent = make_agent(cluster, machine, kinds, Pause(named), ports)
    agent.pause.refuse("")
    admissions.is_needed = lambda: agent.may_be_paused
    for host in hosts:
        if host.service.name in gates:
            host.api.around = gates[host.service.name].around
    if gateway is not None:
        _follow(gateway, machine, agent)
    await run_agent(agent, place, ports, stack)
    if any(host.service.tags == ROLLOUTS for host in hosts):
        evicting = evict_absent_nodes(
            machine, agent.contact, ports.discovery, ports.client().send, ports.clock.now
        )
        stack.push_async_callback(cancel_and_wait, asyncio.create_task(evicting))
    return agent


def _follow(gateway: RunningGateway, machine: DomainNode, agent: NodeAgent) -> None:
    """Let a gateway be ready as its node is, and know the revisions of the domain from the log."""
    gateway.gateway.hold(lambda: agent.fault)
    gateway.gateway.directory.pools.follow(agent.domain, known_revisions(machine, agent.contact))


def known_revisions(machine: DomainNode, contact: LogContact) -> Callable[[str, str], int]:
    """Return what gives the revision that an instance must have at least, by the log, to a gateway.

    It takes a service, and its group or an empty text.
    """

    def known(service: str, group: str) -> int:
        groups = (group,) if group else ()
        return machine.revision_ahead(service, groups, reads_log=contact.is_there)

    return known


async def wait_until_member(agent: NodeAgent, hosts: Sequence[ServiceHost]) -> None:
    """Return once the node is a member; from then on its services are ready only while it has a revision.

    Before that they are not registered, or no gateway listens.
    """
    await agent.joined()
    for host in hosts:
        if not is_never_paused(host):
            host.hold = lambda: agent.fault


def _kinds_of(
    hosts: Sequence[ServiceHost],
    ports: AgentPorts,
    policies: Mapping[str, PolicyGate],
    gateway: RunningGateway | None,
) -> dict[Kind, ItemKind]:
    return make_kinds(
        [host.service for host in hosts],
        policies,
        gateway,
        # a process with both has the embedded log
        NoPackageKind(ONE_PROCESS if gateway is not None and hosts else ""),
        others=services_elsewhere(ports.discovery),
    )
