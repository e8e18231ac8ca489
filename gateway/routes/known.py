"""What services serve, as far as is known: their routes, and one document of all."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import structlog

from bookshelf.discovery.port import Instance
from gateway.routes.claims import Seniority
from gateway.routes.document import Document
from gateway.routes.merge import merged
from gateway.routes.routing import Refused, Table
from gateway.routes.rules import Rules
from gateway.upstream.pool import Pools

#: A service, and the version of some of its instances.
Edition = tuple[str, str]
_logger = structlog.get_logger(__name__)


class Known:
    """The documents of the editions that were met, and what follows from them.

    A service stays known when its instances go: what is only away is not said not to exist.
    """

    def __init__(self, prefix: str, rules: Rules, pools: Pools) -> None:
        self._prefix = prefix
        self.rules = rules
        self.pools = pools
        self._documents: dict[Edition, Document] = {}
        self._seniority = Seniority()
        self._logged: set[Refused] = set()
        self._merged: bytes | None = None
        self.table = Table((), rules, pools, prefix)

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
        self.table = Table(self._ordered(), self.rules, self.pools, self._prefix)
        self._merged = None
        refused = set(self.table.refused)
        for one in refused - self._logged:
            _logger.warning(
                "route refused", service=one.service, method=one.method, path=one.path, why=one.why
            )
        self._logged = refused
