"""Makes the report of a node for its pages, from its agent and from what it runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from msgspec import convert
from msgspec.structs import replace

from bookshelf import __version__
from bookshelf.cli.node_console import NodePages
from bookshelf.cli.node_people import NodePeople
from bookshelf.cli.node_presence import differences_now
from bookshelf.cluster.domain_state import Domain, DomainMember
from bookshelf.cluster.node_report import (
    NodeReport,
    ReportedGroup,
    ReportedItem,
    ReportedMember,
    ReportedService,
    ReportedVote,
)
from bookshelf.cqrs.session_route import all_excluded
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import Transport
from bookshelf.runtime.agent.agent import NodeAgent
from bookshelf.runtime.agent.groups import ActiveGroup, ServiceGroups
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.service import ServiceHost

if TYPE_CHECKING:
    from bookshelf.cluster.node import DomainNode

_UNKNOWN = DomainMember(node="", instance="", epoch=0)


class EngagedMiddleware(Protocol):
    """A gateway of which the engaged middleware is known."""

    @property
    def engaged(self) -> tuple[str, ...]:
        """The settings of the middleware that runs around requests now."""


def report_on_hosts(
    agent: NodeAgent, hosts: Sequence[ServiceHost], gateway: EngagedMiddleware | None
) -> NodeReport:
    """Return the report of a process that runs services of the program, or a gateway."""
    services = [
        ReportedService(
            name=host.service.name,
            scope=", ".join(sorted({one.scope for one in host.sessions})),
            exclude=all_excluded(host.sessions),
            routes=[f"{route.method} {route.path}" for route in host.service.serves],
        )
        for host in hosts
    ]
    report = NodeReport(
        node="",
        address="",
        version=__version__,
        services=services,
        middleware=() if gateway is None else gateway.engaged,
    )
    return _in_domain(report, agent)


def node_pages(
    report: Callable[[], NodeReport],
    domain: str,
    discovery: Discovery,
    transport: Transport,
    callers: Callers,
) -> NodePages:
    """Return what the pages of a node stand on. `report` is what the process itself knows."""

    def compared() -> NodeReport:
        return replace(report(), differences=differences_now(discovery, domain))

    return NodePages(compared, NodePeople.of(discovery, transport, callers))


def report_on_groups(node: str, agent: NodeAgent | None, groups: ServiceGroups) -> NodeReport:
    """Return the report of a node of service groups; without a domain it has no agent."""
    active = sorted(groups.active.values(), key=lambda group: group.name)
    services = [
        ReportedService(
            name=service.name,
            group=group.name,
            scope=service.scope,
            exclude=service.exclude,
            routes=[f"{method} {path}" for method, path in service.routes],
        )
        for group in active
        for service in group.child.services
    ]
    report = NodeReport(
        node=node,
        address=f"http://{groups.address}:{groups.port}",
        version=__version__,
        runs_groups=True,
        services=services,
        groups=[_group(group) for group in active],
    )
    return report if agent is None else _in_domain(report, agent)


def _group(group: ActiveGroup) -> ReportedGroup:
    pid = group.child.pid
    return ReportedGroup(
        name=group.name, version=group.version, digest=group.digest, pid=pid, memory=memory_of(pid)
    )


def memory_of(pid: int) -> int:
    """Return the bytes of memory that a process of this machine has in use; 0 if that is unknown."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError):
        pass
    return 0


def _in_domain(report: NodeReport, agent: NodeAgent) -> NodeReport:
    """Add to a report what the agent of the node has read of its domain."""
    machine = cast("DomainNode", agent.machine)
    domain, (rollout, phase, _) = machine.domain, machine.phase
    return replace(
        report,
        node=machine.state.node,
        address=report.address or (domain.member(machine.state.node) or _UNKNOWN).address,
        domain=agent.domain,
        epoch=machine.state.epoch,
        revision=domain.revision,
        fault=agent.fault or ("" if machine.is_member else "it is no member of its domain yet"),
        rollout=rollout,
        phase=phase,
        services=[_in_domain_too(one, agent) for one in report.services],
        items=_items(domain),
        votes=convert(list(machine.votes), list[ReportedVote], from_attributes=True),
        members=convert(domain.members, list[ReportedMember], from_attributes=True),
    )


def _items(domain: Domain) -> list[ReportedItem]:
    contents = {(item.kind, item.name): item.content for item in domain.contents}
    return [
        ReportedItem(
            kind=item.kind,
            name=item.name,
            digest=item.digest,
            since=item.revision,
            content=contents.get((item.kind, item.name), ""),
        )
        for item in domain.items
    ]


def _in_domain_too(one: ReportedService, agent: NodeAgent) -> ReportedService:
    """Add the policy and the revision of a service, and if it is paused."""
    machine = cast("DomainNode", agent.machine)
    policies = [
        item.content for item in machine.domain.contents if (item.kind, item.name) == ("policy", one.name)
    ]
    gate = agent.pause.gates.get(one.name)
    return replace(
        one,
        policy="".join(policies),
        revision=machine.revision_of(one.name, [one.group] if one.group else []),
        is_paused=gate is not None and gate.paused is not None,
    )
