"""Gives the service rollouts what it needs of nodes: checks of proposals, what they run, and what differs."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from bookshelf.cli.domain_kinds import ONE_PROCESS, make_kinds, services_elsewhere
from bookshelf.cli.node_presence import differences_now, running_now
from bookshelf.cluster.handlers import with_rollouts
from bookshelf.cluster.node_differences import NodeDifference
from bookshelf.cluster.running import RunningNode
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import load
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.item import ItemChange, ItemProblem
from bookshelf.cqrs.service import Service
from bookshelf.discovery.port import Discovery
from bookshelf.http.message import Request, Response
from bookshelf.runtime.agent.package_kind import NoPackageKind
from bookshelf.runtime.api.bodies import json_answer
from bookshelf.services import SERVICES

if TYPE_CHECKING:
    from bookshelf.cluster.domain_state import Domain


def with_proposal_checks(service: Service, discovery: Discovery, *, embedded: bool) -> Service:
    """Return the service rollouts, which refuses what no node could load. `embedded`: on the embedded log."""
    packages = NoPackageKind(ONE_PROCESS if embedded else "")

    def check(change: ItemChange) -> tuple[ItemProblem, ...]:
        # the routes of the service that is meant are enough, and the others need not be imported
        named = [one.loaded() for one in SERVICES if one.name == change.name and change.kind == "policy"]
        kinds = make_kinds(named, {}, packages=packages, others=services_elsewhere(discovery))
        return kinds[change.kind].check(change)

    return replace(service, load=lambda given: _with_nodes(with_rollouts(given, check), discovery))


def _with_nodes(service: Service, discovery: Discovery) -> Service:
    """Return the service rollouts, which also answers what the nodes run that are there, and what differs."""
    domain = load(ClusterSettings, os.environ).cluster_domain
    [aggregate] = [part for part in service.runs if isinstance(part, Aggregate)]

    async def differences(_request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
        return json_answer(200, differences_now(discovery, domain))

    async def running(_request: Request, _context: RequestContext, ports: HandlerPorts) -> Response:
        state: Domain = await ports.state(aggregate, domain)
        return json_answer(200, running_now(state.members, discovery, domain))

    routes = (
        HandlerRoute(
            path="/cluster/differences",
            summary="What differs between the nodes of the domain",
            handler=differences,
            requires=("cluster:read",),
            returns=list[NodeDifference],
        ),
        HandlerRoute(
            path="/cluster/running",
            summary="The nodes of the domain, with their services that are ready",
            handler=running,
            requires=("cluster:read",),
            returns=list[RunningNode],
        ),
    )
    return replace(service, serves=(*service.serves, *routes))
