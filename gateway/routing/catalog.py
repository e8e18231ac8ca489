"""The route catalog: the documents that services have published, and the precedence between services."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import structlog

from bookshelf.discovery.port import Instance
from gateway.routing.document import Document
from gateway.routing.merge import merged
from gateway.routing.rules import Rules
from gateway.routing.table import RefusedRoute, RouteTable
from gateway.upstream.pool import Pools

#: A service name and a version: all instances of an edition publish the same document.
Edition = tuple[str, str]
_logger = structlog.get_logger(__name__)


class RouteCatalog:
    """Holds the documents of services, and builds the route table and the common OpenAPI document from them.

    The document of a service stays when its instances go: requests for its routes are answered with
    "unavailable" then, not with "no such route".
    """

    def __init__(self, prefix: str, rules: Rules, pools: Pools) -> None:
        self._prefix = prefix
        self.rules = rules
        self.pools = pools
        self._documents: dict[Edition, Document] = {}
        self._precedence = RoutePrecedence()
        self._logged: set[RefusedRoute] = set()
        self._merged: bytes | None = None
        self.table = RouteTable((), rules, pools, prefix)

    @property
    def editions(self) -> AbstractSet[Edition]:
        """The editions whose document is known."""
        return self._documents.keys()

    @property
    def services(self) -> set[str]:
        """The services of which at least one edition is known."""
        return {service for service, _ in self._documents}

    @property
    def document(self) -> bytes:
        """The OpenAPI document of all routes, built on the first access after a change."""
        if self._merged is None:
            self._merged = merged(self._ordered(), self.table.granted, self._prefix)
        return self._merged

    def record(self, instances: Iterable[Instance], now: float) -> None:
        """Record which services are ready at the time `now`."""
        self._precedence.record(instances, now)

    def learn(self, edition: Edition, document: Document) -> None:
        """Add or replace the document of an edition; it precedes earlier ones of the same service."""
        if self._documents.get(edition) == document:
            return
        self._documents.pop(edition, None)
        self._documents[edition] = document
        self._rebuild()

    def apply_rules(self, rules: Rules) -> None:
        """Replace the rules, and rebuild the route table."""
        self.rules = rules
        self._rebuild()

    def forget_former(self, ready: AbstractSet[Edition]) -> None:
        """Remove editions without ready instances, of services that have a newer edition."""
        renewed = {service for service, _ in ready & self.editions}
        self._forget({edition for edition in self.editions - ready if edition[0] in renewed})

    def forget_gone(self, now: float) -> None:
        """Remove services that have been absent for `AWAY_S`, if other services declare their routes."""
        if self.table.refused and (gone := self._precedence.gone(now)):
            self._forget({edition for edition in self.editions if edition[0] in gone})
            self._precedence.forget(gone)

    def _forget(self, former: AbstractSet[Edition]) -> None:
        if former:
            self._documents = {
                key: document for key, document in self._documents.items() if key not in former
            }
            self._rebuild()

    def _ordered(self) -> list[Document]:
        latest_first = reversed(self._documents.items())
        return [
            document
            for _, document in sorted(latest_first, key=lambda item: self._precedence.rank(item[0][0]))
        ]

    def _rebuild(self) -> None:
        self.table = RouteTable(self._ordered(), self.rules, self.pools, self._prefix)
        self._merged = None
        refused = set(self.table.refused)
        for route in refused - self._logged:
            _logger.warning(
                "route-refused", service=route.service, method=route.method, path=route.path, why=route.why
            )
        self._logged = refused


#: Seconds of absence after which another service may take over the routes of a service.
AWAY_S = 60.0
_Rank = tuple[int, bool, str]


class RoutePrecedence:
    """Ranks services by when they were discovered: the first one keeps a route that two services declare.

    Services of the same snapshot rank ours first, then by name, so that gateways that start at the same time
    agree. Neither a name nor a fast response overtakes a service that is already known. The time is passed to
    each call, in seconds of any one clock.
    """

    def __init__(self) -> None:
        self._ranks: dict[str, _Rank] = {}
        self._away: dict[str, float] = {}
        self._snapshots = 0

    def record(self, instances: Iterable[Instance], now: float) -> None:
        """Record the services of a snapshot of the ready instances."""
        ready = {instance.service: instance.foreign for instance in instances}
        self._snapshots += 1
        for service, foreign in ready.items():
            self._ranks.setdefault(service, (self._snapshots, foreign, service))
        self._away = {name: self._away.get(name, now) for name in self._ranks.keys() - ready.keys()}

    def rank(self, service: str) -> _Rank:
        """Return the sort key of a service; a smaller one takes precedence."""
        return self._ranks.get(service, (self._snapshots + 1, True, service))

    def gone(self, now: float) -> set[str]:
        """Return the services that have been absent for at least `AWAY_S`."""
        return {service for service, since in self._away.items() if now - since >= AWAY_S}

    def forget(self, services: Iterable[str]) -> None:
        """Remove services: if they return, they rank as newly discovered."""
        for service in services:
            self._ranks.pop(service, None)
            self._away.pop(service, None)
