"""The ready instances, without those whose address is not allowed."""

import structlog

from bookshelf.discovery.port import Instance, Snapshot
from gateway.routing.catalog import Edition
from gateway.upstream.address_policy import AddressPolicy

#: The key of an instance's metadata with the path of its document; an instance without it has no routes.
OPENAPI = "openapi"
#: The most instances, and editions of one service, that are used: more of them point to a broken registry.
_INSTANCES = 10_000
_EDITIONS = 4
_logger = structlog.get_logger(__name__)


class ReadyInstances:
    """The instances of the newest snapshot, without those that the address policy refuses.

    The check is needed because others can write into a registry.
    `refused`: why instances are not used, by id.
    """

    def __init__(self, address_policy: AddressPolicy) -> None:
        self._address_policy = address_policy
        self.has_snapshot = False
        self.instances: tuple[Instance, ...] = ()
        self.refused: dict[str, str] = {}
        self._editions: dict[Edition, list[Instance]] = {}

    def replace(self, snapshot: Snapshot) -> None:
        """Replace the instances by those of a snapshot."""
        self.has_snapshot = True
        given = snapshot.instances[:_INSTANCES]
        troubles = {
            instance.id: trouble
            for instance in given
            if (trouble := self._address_policy.trouble(instance)) is not None
        }
        for name in troubles.keys() - self.refused.keys():
            _logger.warning("instance-refused", instance=name, why=troubles[name])
        self.refused = troubles
        self.instances = tuple(instance for instance in given if instance.id not in troubles)
        self._editions = _editions(self.instances)

    def routed(self) -> list[Instance]:
        """Return the instances that publish an OpenAPI document."""
        return [instance for instances in self._editions.values() for instance in instances]

    def editions(self) -> set[Edition]:
        """Return the editions of these instances."""
        return set(self._editions)

    def of(self, edition: Edition) -> list[Instance]:
        """Return the instances of one edition."""
        return self._editions.get(edition, [])


def _editions(instances: tuple[Instance, ...]) -> dict[Edition, list[Instance]]:
    by_edition: dict[Edition, list[Instance]] = {}
    count: dict[str, int] = {}
    for instance in instances:
        edition = instance.service, instance.meta.get("version", "")
        if OPENAPI not in instance.meta:
            continue
        if edition not in by_edition:
            count[instance.service] = count.get(instance.service, 0) + 1
            if count[instance.service] > _EDITIONS:
                continue
        by_edition.setdefault(edition, []).append(instance)
    return by_edition
