"""Makes a node of service groups a member of its domain: its agent, with a gate before each service."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bookshelf import __version__
from bookshelf.cli.callers import open_callers
from bookshelf.cli.domain_kinds import make_kinds
from bookshelf.cli.instance import open_log
from bookshelf.cli.start_secret import StartSecret
from bookshelf.cluster.handlers import AGENT_COMMANDS
from bookshelf.cluster.node import DomainNode, node_name
from bookshelf.cluster.settings import ROLLOUTS, ClusterSettings
from bookshelf.config import Network, Settings, load
from bookshelf.discovery.port import Discovery, Instance
from bookshelf.http.client import Transport
from bookshelf.log.port import Log
from bookshelf.runtime.agent.agent import NodeAgent
from bookshelf.runtime.agent.domain_client import DomainClient
from bookshelf.runtime.agent.groups import ServiceGroups
from bookshelf.runtime.agent.package_kind import PackageKind
from bookshelf.runtime.agent.pause import Pause, ServiceGate
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.api.endpoint import Around
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.clock import SystemClock, SystemIds
from bookshelf.services import SERVICES

#: The tags of a node in discovery, which shows that it is there also while it has no group.
NODE_TAGS = ("cluster", "node")


class GroupGates(Mapping[str, PolicyGate]):
    """The policies of the services of groups, which come and go: each has a gate once it is asked for."""

    def __init__(self, machine: DomainNode, callers: Callers, groups: ServiceGroups) -> None:
        self._machine = machine
        self._callers = callers
        self._groups = groups
        self.pause = Pause({})

    def __getitem__(self, service: str) -> PolicyGate:
        """Return the gate of a service."""
        return self._gate(service).policy

    def __iter__(self) -> Iterator[str]:
        """Yield the services that run."""
        return iter(self._groups.services)

    def __len__(self) -> int:
        """Return how many services run."""
        return len(self._groups.services)

    def around(self, service: str) -> Around:
        """Return what runs around the endpoints of a service."""
        return self._gate(service).around

    def _revision_of(self, service: str) -> int:
        return self._machine.revision_of(service, self._groups.groups_of(service))

    def _gate(self, service: str) -> ServiceGate:
        gate = self.pause.gates.get(service)
        if gate is None:
            gate = ServiceGate(service, PolicyGate(self._callers), self._revision_of)
            self.pause.add(gate)
        return gate


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPorts:
    """What the agent of a node stands on."""

    log: Log
    discovery: Discovery
    transport: Transport
    callers: Callers


async def open_group_agent(
    settings: Settings,
    network: Network,
    kind: PackageKind,
    discovery: Discovery,
    transport: Transport,
    stack: AsyncExitStack,
) -> NodeAgent:
    """Run the agent of a node of groups until the stack is closed; return it once the node is a member.

    Raises `LogFault`, `DiscoveryFault`, `WrongSetting`.
    """
    log = await open_log(network, stack, [one for one in SERVICES if ROLLOUTS[0] in one.tags])
    callers = open_callers(settings, StartSecret(settings))
    ports = AgentPorts(log=log, discovery=discovery, transport=transport, callers=callers)
    return await start_group_agent(network.instance.id, load(ClusterSettings, os.environ), kind, ports, stack)


async def start_group_agent(
    name: str, cluster: ClusterSettings, kind: PackageKind, ports: AgentPorts, stack: AsyncExitStack
) -> NodeAgent:
    """Start the agent on a log; return once the node is a member. Raises `LogFault`, `DiscoveryFault`."""
    groups, clock = kind.groups, SystemClock()
    ids = SystemIds(clock)
    present = Instance(
        id=f"node-{ids.new()}", service="node", tags=NODE_TAGS, address=groups.address, port=groups.port
    )
    await ports.discovery.register(present)
    stack.push_async_callback(ports.discovery.deregister, present.id)
    address = f"http://{groups.address}:{groups.port}"
    machine = DomainNode(node_name(name), ids.new(), address, (), __version__, runs_groups=True)
    gates = GroupGates(machine, ports.callers, groups)
    groups.around = gates.around
    client = DomainClient(ports.discovery, ports.transport, ports.callers, ROLLOUTS, AGENT_COMMANDS)

    def others() -> Mapping[str, list[str] | None]:
        elsewhere = {instance.service: None for instance in ports.discovery.snapshot().instances}
        return {**elsewhere, **groups.routes}

    agent = NodeAgent(
        cluster.cluster_domain,
        machine,
        ports.log,
        make_kinds((), gates, packages=kind, others=others),
        gates.pause,
        client.send,
        clock.now,
        drain_s=cluster.cluster_drain_s,
        contact_s=cluster.contact_s,
    )
    await agent.start()
    stack.push_async_callback(agent.stop)
    await agent.joined()
    return agent
