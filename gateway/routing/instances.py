"""Who is ready, without those that no one should be sent to."""

import structlog

from bookshelf.discovery.port import Instance, Snapshot
from gateway.routing.catalog import Edition
from gateway.routing.document_client import OPENAPI
from gateway.upstream.address_policy import AddressPolicy

#: Instances, and editions of one service, that are looked at; a registry that has more has gone wild.
_INSTANCES = 10_000
_EDITIONS = 4
_logger = structlog.get_logger(__name__)


class ReadyInstances:
    """The newest snapshot, checked before it is believed: others write into a registry too."""

    def __init__(self, reach: AddressPolicy) -> None:
        self._reach = reach
        self.heard = False
        self.instances: tuple[Instance, ...] = ()
        self.refused: dict[str, str] = {}
        self._editions: dict[Edition, list[Instance]] = {}

    def hear(self, snapshot: Snapshot) -> None:
        """Take in who is ready now."""
        self.heard = True
        given = snapshot.instances[:_INSTANCES]
        troubles = {one.id: trouble for one in given if (trouble := self._reach.trouble(one)) is not None}
        for name in troubles.keys() - self.refused.keys():
            _logger.warning("instance-refused", instance=name, why=troubles[name])
        self.refused = troubles
        self.instances = tuple(one for one in given if one.id not in troubles)
        self._editions = _editions(self.instances)

    def routed(self) -> list[Instance]:
        """Return those that say where their routes are described."""
        return [one for instances in self._editions.values() for one in instances]

    def editions(self) -> set[Edition]:
        """Return the editions that they are of."""
        return set(self._editions)

    def of(self, edition: Edition) -> list[Instance]:
        """Return those of one edition."""
        return self._editions.get(edition, [])


def _editions(instances: tuple[Instance, ...]) -> dict[Edition, list[Instance]]:
    found: dict[Edition, list[Instance]] = {}
    count: dict[str, int] = {}
    for one in instances:
        edition = one.service, one.meta.get("version", "")
        if OPENAPI not in one.meta:
            continue
        if edition not in found:
            count[one.service] = count.get(one.service, 0) + 1
            if count[one.service] > _EDITIONS:
                continue
        found.setdefault(edition, []).append(one)
    return found
