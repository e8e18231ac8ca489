"""Routes that services have published, and which service keeps a route that two publish."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import structlog

from bookshelf.discovery.port import Instance
from gateway.routing.document import Document
from gateway.routing.merge import merged
from gateway.routing.rules import Rules
from gateway.routing.table import RefusedRoute, RouteTable
from gateway.upstream.pool import Pools

#: A service, and the version of some of its instances.
Edition = tuple[str, str]
_logger = structlog.get_logger(__name__)


class RouteCatalog:
    """The documents of the editions that were met, and what follows from them.

    A service stays known when its instances go: what is only away is not said not to exist.
    """

    def __init__(self, prefix: str, rules: Rules, pools: Pools) -> None:
        self._prefix = prefix
        self.rules = rules
        self.pools = pools
        self._documents: dict[Edition, Document] = {}
        self._seniority = RoutePrecedence()
        self._logged: set[RefusedRoute] = set()
        self._merged: bytes | None = None
        self.table = RouteTable((), rules, pools, prefix)

    @property
    def editions(self) -> AbstractSet[Edition]:
        """The editions that are known."""
        return self._documents.keys()

    @property
    def services(self) -> set[str]:
        """The services of which at least one edition is known."""
        return {service for service, _ in self._documents}

    @property
    def document(self) -> bytes:
        """The OpenAPI document of all that is served; put together when someone asks."""
        if self._merged is None:
            self._merged = merged(self._ordered(), self.table.granted, self._prefix)
        return self._merged

    def met(self, instances: Iterable[Instance], now: float) -> None:
        """Take in who is ready now."""
        self._seniority.met(instances, now)

    def learn(self, edition: Edition, document: Document) -> None:
        """Take in the document of an edition; it goes before those of its service learned earlier."""
        if self._documents.get(edition) == document:
            return
        self._documents.pop(edition, None)
        self._documents[edition] = document
        self._rebuild()

    def obey(self, rules: Rules) -> None:
        """Take in other rules."""
        self.rules = rules
        self._rebuild()

    def forget_former(self, ready: AbstractSet[Edition]) -> None:
        """Forget the editions that no one runs any more, of services that have a newer one known."""
        renewed = {service for service, _ in ready & self.editions}
        self._forget({edition for edition in self.editions - ready if edition[0] in renewed})

    def forget_gone(self, now: float) -> None:
        """Forget services that are away for long, if others claim what they hold."""
        if self.table.refused and (gone := self._seniority.gone(now)):
            self._forget({edition for edition in self.editions if edition[0] in gone})
            self._seniority.forget(gone)

    def _forget(self, former: AbstractSet[Edition]) -> None:
        if former:
            self._documents = {key: one for key, one in self._documents.items() if key not in former}
            self._rebuild()

    def _ordered(self) -> list[Document]:
        latest_first = reversed(self._documents.items())
        return [one for _, one in sorted(latest_first, key=lambda item: self._seniority.rank(item[0][0]))]

    def _rebuild(self) -> None:
        self.table = RouteTable(self._ordered(), self.rules, self.pools, self._prefix)
        self._merged = None
        refused = set(self.table.refused)
        for one in refused - self._logged:
            _logger.warning(
                "route-refused", service=one.service, method=one.method, path=one.path, why=one.why
            )
        self._logged = refused


#: Seconds that a service may be away before another may have what it holds.
AWAY_S = 60.0
_Rank = tuple[int, bool, str]


class RoutePrecedence:
    """Remembers when each service was first met. Those met together rank as ours first, then by name.

    So gateways that start at one time agree, and no one gets in front by what it is called, or by answering
    faster. Time comes with each call, in seconds of any one clock.
    """

    def __init__(self) -> None:
        self._met: dict[str, _Rank] = {}
        self._away: dict[str, float] = {}
        self._meetings = 0

    def met(self, instances: Iterable[Instance], now: float) -> None:
        """Take in who is ready now."""
        ready = {instance.service: instance.stranger for instance in instances}
        self._meetings += 1
        for service, stranger in ready.items():
            self._met.setdefault(service, (self._meetings, stranger, service))
        self._away = {name: self._away.get(name, now) for name in self._met.keys() - ready.keys()}

    def rank(self, service: str) -> _Rank:
        """Return what services are sorted by."""
        return self._met.get(service, (self._meetings + 1, True, service))

    def gone(self, now: float) -> set[str]:
        """Return the services that have been away for too long to hold anything that others want."""
        return {service for service, since in self._away.items() if now - since >= AWAY_S}

    def forget(self, services: Iterable[str]) -> None:
        """Forget services: they begin anew."""
        for service in services:
            self._met.pop(service, None)
            self._away.pop(service, None)
