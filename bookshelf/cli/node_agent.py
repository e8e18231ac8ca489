"""Makes a node of service groups a member of its domain: its agent, with a gate before each service."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import AsyncExitStack

from bookshelf import __version__
from bookshelf.cli.domain_kinds import make_kinds, services_elsewhere
from bookshelf.cli.domain_node import AgentPorts, make_agent, run_agent
from bookshelf.cli.instance import open_domain_log
from bookshelf.cli.node_presence import NodePlace
from bookshelf.cluster.node import DomainNode, node_name
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import Network, load
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import Transport
from bookshelf.runtime.agent.agent import NodeAgent
from bookshelf.runtime.agent.gate import Admissions
from bookshelf.runtime.agent.groups import ServiceGroups
from bookshelf.runtime.agent.package_kind import PackageKind
from bookshelf.runtime.agent.pause import Pause, ServiceGate
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.api.endpoint import Around
from bookshelf.runtime.api.identity import Callers


class GroupGates(Mapping[str, PolicyGate]):
    """The policies of the services of groups, which come and go: each has a gate once it is asked for."""

    def __init__(
        self, machine: DomainNode, callers: Callers, groups: ServiceGroups, admissions: Admissions
    ) -> None:
        self._machine = machine
        self._callers = callers
        self._groups = groups
        self._admissions = admissions
        self.pause = Pause({})
        self._gates: dict[str, ServiceGate] = {}

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
        gate = self._gates.get(service)
        if gate is None:
            policy = PolicyGate(self._callers)
            gate = self._gates[service] = ServiceGate(service, policy, self._revision_of, self._admissions)
            self.pause.add(gate)
        return gate


async def open_group_agent(
    network: Network,
    kind: PackageKind,
    ways: tuple[Discovery, Transport, Callers],
    admissions: Admissions,
    stack: AsyncExitStack,
) -> NodeAgent:
    """Run the agent of a node of groups until the stack is closed; return it once the node is a member.

    `ways`: what it finds, reaches and authenticates the owner of the domain with. Raises `LogFault`,
    `DiscoveryFault`.
    """
    ports = AgentPorts.on(await open_domain_log(network, stack), *ways)
    cluster = load(ClusterSettings, os.environ)
    return await start_group_agent(network.instance.id, cluster, kind, ports, admissions, stack)


async def start_group_agent(
    name: str,
    cluster: ClusterSettings,
    kind: PackageKind,
    ports: AgentPorts,
    admissions: Admissions,
    stack: AsyncExitStack,
) -> NodeAgent:
    """Start the agent on a log; return once the node is a member. Raises `LogFault`, `DiscoveryFault`."""
    groups = kind.groups
    place = NodePlace(host=groups.address, port=groups.port)
    machine = DomainNode(node_name(name), ports.ids.new(), place.address, (), __version__, runs_groups=True)
    gates = GroupGates(machine, ports.callers, groups, admissions)
    groups.around = gates.around
    elsewhere = services_elsewhere(ports.discovery)

    def others() -> Mapping[str, Collection[str] | None]:
        return {**elsewhere(), **groups.routes}

    kinds = make_kinds((), gates, packages=kind, others=others)
    agent = make_agent(cluster, machine, kinds, gates.pause, ports)
    await run_agent(agent, place, ports, stack)
    await agent.joined()
    return agent
