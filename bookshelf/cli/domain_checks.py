"""Checks what is proposed to a domain by the kinds of items of its nodes, before a rollout is opened."""

from dataclasses import replace

from bookshelf.cli.domain_kinds import ONE_PROCESS, make_kinds, services_elsewhere
from bookshelf.cluster.handlers import with_rollouts
from bookshelf.cqrs.item import ItemChange, ItemProblem
from bookshelf.cqrs.service import Service
from bookshelf.discovery.port import Discovery
from bookshelf.runtime.agent.package_kind import NoPackageKind
from bookshelf.services import SERVICES


def with_proposal_checks(service: Service, discovery: Discovery, *, embedded: bool) -> Service:
    """Return the service rollouts, which refuses what no node could load. `embedded`: on the embedded log."""
    packages = NoPackageKind(ONE_PROCESS if embedded else "")

    def check(change: ItemChange) -> tuple[ItemProblem, ...]:
        # the routes of the service that is meant are enough, and the others need not be imported
        named = [one.loaded() for one in SERVICES if one.name == change.name and change.kind == "policy"]
        kinds = make_kinds(named, {}, packages=packages, others=services_elsewhere(discovery))
        return kinds[change.kind].check(change)

    return replace(service, load=lambda given: with_rollouts(given, check))
